//! The Rust side of `toml.h`: text to a flat tree that remembers where everything stood.

use crate::ffi::{contain, fill_text, panic_text, quiet_panics, slice_of};
use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use toml_edit::{Document, InlineTable, Item, Key, Table, Value};

const TEXT_MAX_BYTES: usize = 1 << 20;
/// "a.b.c" makes tables within tables: so many per key, and the parser bounds brackets itself.
const KEY_PARTS_MAX: usize = 16;
const ERROR_BYTES: usize = 256;

/// `enum toml_kind`.
#[derive(Clone, Copy)]
#[repr(i32)]
enum Kind {
    String,
    Integer,
    Float,
    Boolean,
    Datetime,
    Array,
    Table,
}

/// `struct toml_node`.
#[repr(C)]
pub struct CNode {
    kind: c_int,
    key: *const c_char,
    text: *const c_char,
    key_bytes: usize,
    text_bytes: usize,
    integer: i64,
    real: f64,
    boolean: bool,
    key_line: u32,
    key_column: u32,
    line: u32,
    column: u32,
    first_child: u32,
    next: u32,
}

/// `struct toml_error`.
#[repr(C)]
pub struct CTomlError {
    line: u32,
    column: u32,
    text: [c_char; ERROR_BYTES],
}

/// `struct toml_document`. Nodes point into `strings`, whose boxes stay where they are.
pub struct CDocument {
    nodes: Vec<CNode>,
    strings: Vec<Box<[u8]>>,
}

/// Byte offsets to lines and columns. Remembers the last answer, because questions rise: a document
/// of one long line must not cost its square.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    last: (usize, u32),
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Lines { text, starts, last: (0, 1) }
    }

    fn place(&mut self, offset: usize) -> (u32, u32) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let (from, before) =
            if self.last.0 >= start && self.last.0 <= offset { self.last } else { (start, 1) };
        let column = before + self.text[from..offset].chars().count() as u32;
        self.last = (offset, column);
        (line as u32, column)
    }
}

struct Builder<'a> {
    lines: Lines<'a>,
    document: CDocument,
}

impl Builder<'_> {
    fn string(&mut self, text: &str) -> (*const c_char, usize) {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        self.document.strings.push(bytes.into_boxed_slice());
        let kept = &self.document.strings[self.document.strings.len() - 1];
        (kept.as_ptr().cast(), text.len())
    }

    /// A node without its value; returns its index.
    fn node(&mut self, key: Option<&Key>, kind: Kind, at: Option<usize>) -> usize {
        let mut node = CNode {
            kind: kind as c_int,
            key: std::ptr::null(),
            text: std::ptr::null(),
            key_bytes: 0,
            text_bytes: 0,
            integer: 0,
            real: 0.0,
            boolean: false,
            key_line: 0,
            key_column: 0,
            line: 0,
            column: 0,
            first_child: 0,
            next: 0,
        };
        let mut key_at = None;
        if let Some(key) = key {
            (node.key, node.key_bytes) = self.string(key.get());
            key_at = key.span().map(|span| span.start);
            (node.key_line, node.key_column) = self.lines.place(key_at.unwrap_or(0));
        }
        // Tables that dots made have no place but that of their name.
        (node.line, node.column) = self.lines.place(at.or(key_at).unwrap_or(0));
        self.document.nodes.push(node);
        self.document.nodes.len() - 1
    }

    fn append(&mut self, parent: usize, last: &mut usize, child: usize) {
        let nodes = &mut self.document.nodes;
        match *last {
            0 => nodes[parent].first_child = child as u32,
            before => nodes[before].next = child as u32,
        }
        *last = child;
    }

    fn table(&mut self, key: Option<&Key>, table: &Table) -> usize {
        let at = table.span().map(|span| span.start);
        let index = self.node(key, Kind::Table, at);
        let mut last = 0;
        for (name, _) in table.iter() {
            if let Some((key, item)) = table.get_key_value(name)
                && let Some(child) = self.item(Some(key), item)
            {
                self.append(index, &mut last, child);
            }
        }
        index
    }

    fn inline(&mut self, key: Option<&Key>, table: &InlineTable) -> usize {
        let at = table.span().map(|span| span.start);
        let index = self.node(key, Kind::Table, at);
        let mut last = 0;
        for (name, _) in table.iter() {
            if let Some((key, item)) = table.get_key_value(name)
                && let Some(child) = self.item(Some(key), item)
            {
                self.append(index, &mut last, child);
            }
        }
        index
    }

    fn item(&mut self, key: Option<&Key>, item: &Item) -> Option<usize> {
        match item {
            Item::None => None,
            Item::Value(value) => Some(self.value(key, value)),
            Item::Table(table) => Some(self.table(key, table)),
            Item::ArrayOfTables(tables) => {
                let at = tables.iter().next().and_then(|table| table.span());
                let index = self.node(key, Kind::Array, at.map(|span| span.start));
                let mut last = 0;
                for table in tables.iter() {
                    let child = self.table(None, table);
                    self.append(index, &mut last, child);
                }
                Some(index)
            }
        }
    }

    fn value(&mut self, key: Option<&Key>, value: &Value) -> usize {
        let at = value.span().map(|span| span.start);
        match value {
            Value::String(string) => {
                let index = self.node(key, Kind::String, at);
                let (text, size) = self.string(string.value());
                let node = &mut self.document.nodes[index];
                (node.text, node.text_bytes) = (text, size);
                index
            }
            Value::Integer(integer) => {
                let index = self.node(key, Kind::Integer, at);
                self.document.nodes[index].integer = *integer.value();
                index
            }
            Value::Float(real) => {
                let index = self.node(key, Kind::Float, at);
                self.document.nodes[index].real = *real.value();
                index
            }
            Value::Boolean(boolean) => {
                let index = self.node(key, Kind::Boolean, at);
                self.document.nodes[index].boolean = *boolean.value();
                index
            }
            Value::Datetime(datetime) => {
                let index = self.node(key, Kind::Datetime, at);
                let written = value.span().and_then(|span| self.lines.text.get(span));
                let written = written.map_or_else(|| datetime.value().to_string(), str::to_string);
                let (text, size) = self.string(&written);
                let node = &mut self.document.nodes[index];
                (node.text, node.text_bytes) = (text, size);
                index
            }
            Value::Array(array) => {
                let index = self.node(key, Kind::Array, at);
                let mut last = 0;
                for value in array.iter() {
                    let child = self.value(None, value);
                    self.append(index, &mut last, child);
                }
                index
            }
            Value::InlineTable(table) => self.inline(key, table),
        }
    }
}

/// Where a key has too many parts, if one has. Looks at what stands outside of strings and comments
/// only: there, dots between two of `=[]{},` and line ends join the parts of one key.
fn too_many_parts(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut dots) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'.' => {
                dots += 1;
                if dots >= KEY_PARTS_MAX {
                    return Some(at);
                }
            }
            b'=' | b'[' | b']' | b'{' | b'}' | b',' | b'\n' => dots = 0,
            b'#' => {
                while at + 1 < bytes.len() && bytes[at + 1] != b'\n' {
                    at += 1;
                }
            }
            quote @ (b'"' | b'\'') => at = string_end(bytes, at, quote),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last byte of the string that begins at `at`; the parser says what is wrong with it.
fn string_end(bytes: &[u8], at: usize, quote: u8) -> usize {
    let triple = [quote; 3];
    let long = bytes[at..].starts_with(&triple);
    let mut end = at + if long { 3 } else { 1 };
    while end < bytes.len() {
        if quote == b'"' && bytes[end] == b'\\' {
            end += 2;
        } else if long && bytes[end..].starts_with(&triple) {
            return end + 2;
        } else if !long && (bytes[end] == quote || bytes[end] == b'\n') {
            return end;
        } else {
            end += 1;
        }
    }
    bytes.len()
}

/// Offset and words of the first fault.
type Fault = (usize, String);

fn check(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.len() > TEXT_MAX_BYTES {
        return Err((0, format!("more than {TEXT_MAX_BYTES} bytes")));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err((error.valid_up_to(), "not UTF-8".into())),
    };
    match too_many_parts(text) {
        Some(at) => Err((at, format!("a key of more than {KEY_PARTS_MAX} parts"))),
        None => Ok(text),
    }
}

fn parse(text: &str) -> Result<CDocument, Fault> {
    let parsed = Document::parse(text).map_err(|error| {
        let lines = error.message().lines().map(str::trim).collect::<Vec<_>>();
        (error.span().map_or(0, |span| span.start), lines.join("; "))
    })?;
    let mut builder = Builder {
        lines: Lines::new(text),
        document: CDocument { nodes: Vec::new(), strings: Vec::new() },
    };
    builder.table(None, parsed.as_table());
    Ok(builder.document)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn toml_parse(
    text: *const c_char,
    size_bytes: usize,
    ret_error: &mut CTomlError,
) -> *mut CDocument {
    quiet_panics();
    let bytes = unsafe { slice_of(text.cast::<u8>(), size_bytes) };
    let parsed = catch_unwind(AssertUnwindSafe(|| check(bytes).and_then(parse)));
    let (offset, fault) = match parsed {
        Ok(Ok(document)) => return Box::into_raw(Box::new(document)),
        Ok(Err(fault)) => fault,
        Err(payload) => (0, format!("the parser failed: {}", panic_text(payload.as_ref()))),
    };
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    (ret_error.line, ret_error.column) = Lines::new(valid).place(offset);
    fill_text(&mut ret_error.text, &fault);
    std::ptr::null_mut()
}

#[unsafe(no_mangle)]
pub extern "C" fn toml_nodes(document: &CDocument, ret_count: &mut usize) -> *const CNode {
    *ret_count = document.nodes.len();
    document.nodes.as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn toml_document_destroy(document: *mut CDocument) {
    if !document.is_null() {
        contain((), || drop(unsafe { Box::from_raw(document) }));
    }
}
