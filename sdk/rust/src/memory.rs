use crate::error::{done, Result};

/// Reads bytes of any size by a function that copies them out as far as they fit and tells their full size.
pub(crate) fn bytes(mut read: impl FnMut(*mut u8, usize) -> i32) -> Result<Vec<u8>> {
    let mut buffer: Vec<u8> = Vec::with_capacity(64);
    loop {
        let size = done(read(buffer.as_mut_ptr(), buffer.capacity()))? as usize;
        if size <= buffer.capacity() {
            // SAFETY: the host wrote so many, and there is room for them.
            unsafe { buffer.set_len(size) };
            return Ok(buffer);
        }
        buffer.reserve_exact(size);
    }
}

/// The same for text. What is no UTF-8, which a header may hold, is replaced.
pub(crate) fn text(read: impl FnMut(*mut u8, usize) -> i32) -> Result<String> {
    Ok(readable(bytes(read)?))
}

pub(crate) fn readable(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
}

/// Lines of `name: value`.
pub(crate) fn headers(lines: &str) -> Vec<(String, String)> {
    let one = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_string(), value.to_string()));
    lines.lines().filter_map(one).collect()
}

/// Adds one. What could begin another line is left out: a name that holds it, and it of a value.
pub(crate) fn add_header(lines: &mut String, name: &str, value: &str) {
    if name.is_empty() || name.contains([' ', ':', '\r', '\n', '\0']) {
        return;
    }
    lines.push_str(name);
    lines.push_str(": ");
    lines.extend(value.chars().map(|one| if matches!(one, '\r' | '\n' | '\0') { ' ' } else { one }));
    lines.push('\n');
}
