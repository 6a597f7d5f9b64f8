//! Values as JSON, for those outside. It is as strict as RFC 8259, and at most 32 deep.

use std::fmt::Write;

use crate::cbor::{self, Item, Value};
use crate::error::{Error, ErrorKind, Result};

/// So that it fits a guest's small stack, with much left for who reads it.
const DEPTH_MAX: u32 = 32;

/// A value as JSON. Bytes, and fractions that are no number, have none.
pub fn to_string<T: Value>(value: &T) -> Result<String> {
    let mut text = String::new();
    write_item(&mut text, &cbor::from_slice(&cbor::to_vec(value)?)?)?;
    Ok(text)
}

/// A value of JSON. What is missing has its default, what is not known is skipped; else [`Malformed`](ErrorKind::Malformed).
pub fn from_slice<T: Value>(text: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(text).map_err(|_| Error::malformed("JSON: no UTF-8"))?;
    let mut parser = Parser { text, at: 0, depth: 0 };
    let item = parser.item()?;
    if parser.peek().is_some() {
        return Err(parser.wrong("nothing more"));
    }
    let bytes = cbor::to_vec(&item)?;
    drop(item);
    cbor::from_slice(&bytes)
}

fn write_text(to: &mut String, text: &str) {
    to.push('"');
    for one in text.chars() {
        match one {
            '"' | '\\' => to.extend(['\\', one]),
            '\n' => to.push_str("\\n"),
            '\u{0}'..='\u{1f}' => write!(to, "\\u{:04x}", u32::from(one)).unwrap_or_default(),
            _ => to.push(one),
        }
    }
    to.push('"');
}

fn write_item(to: &mut String, item: &Item) -> Result {
    match item {
        Item::Null => to.push_str("null"),
        Item::Truth(value) => to.push_str(if *value { "true" } else { "false" }),
        Item::Integer(number) => write!(to, "{number}").unwrap_or_default(),
        Item::Fraction(number) if number.is_finite() => write!(to, "{number}").unwrap_or_default(),
        Item::Text(text) => write_text(to, text),
        Item::List(list) => {
            for (at, one) in list.iter().enumerate() {
                to.push(if at == 0 { '[' } else { ',' });
                write_item(to, one)?;
            }
            to.push_str(if list.is_empty() { "[]" } else { "]" });
        }
        Item::Map(entries) => {
            for (at, (key, value)) in entries.iter().enumerate() {
                let Item::Text(key) = key else {
                    return Err(Error::new(ErrorKind::Invalid, "JSON: a key that is no text"));
                };
                to.push(if at == 0 { '{' } else { ',' });
                write_text(to, key);
                to.push(':');
                write_item(to, value)?;
            }
            to.push_str(if entries.is_empty() { "{}" } else { "}" });
        }
        Item::Fraction(_) | Item::Bytes(_) => return Err(Error::new(ErrorKind::Invalid, "there is no JSON for that")),
    }
    Ok(())
}

// What calls itself has a small frame, as a guest's stack is small: so the rest is not inlined.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    #[inline(never)]
    fn wrong(&self, wanted: &str) -> Error {
        Error::malformed(&format!("JSON: {wanted} is wanted at byte {}", self.at))
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|one| b" \t\r\n".contains(one)).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn accept(&mut self, mark: u8) -> bool {
        let is_there = self.peek() == Some(mark);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, mark: u8) -> Result {
        match self.accept(mark) {
            true => Ok(()),
            false => Err(self.wrong(&char::from(mark).to_string())),
        }
    }

    fn item(&mut self) -> Result<Item> {
        match self.peek() {
            Some(b'{') => self.inside(b'}', Item::Map, |parser| {
                let key = parser.string()?;
                parser.expect(b':')?;
                Ok((Item::Text(key), parser.item()?))
            }),
            Some(b'[') => self.inside(b']', Item::List, Parser::item),
            Some(b'"') => self.string().map(Item::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    #[inline(never)]
    fn word(&mut self) -> Result<Item> {
        for (word, item) in [("null", Item::Null), ("true", Item::Truth(true)), ("false", Item::Truth(false))] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(item);
            }
        }
        Err(self.wrong("a value"))
    }

    /// What is in brackets, with commas between.
    fn inside<T>(
        &mut self,
        end: u8,
        make: fn(Vec<T>) -> Item,
        one: impl Fn(&mut Self) -> Result<T>,
    ) -> Result<Item> {
        self.at += 1;
        self.depth += 1;
        let mut list = Vec::new();
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("less depth"));
        }
        if !self.accept(end) {
            list.push(one(self)?);
            while self.accept(b',') {
                list.push(one(self)?);
            }
            self.expect(end)?;
        }
        self.depth -= 1;
        Ok(make(list))
    }

    #[inline(never)]
    fn string(&mut self) -> Result<String> {
        self.expect(b'"')?;
        let mut made = String::new();
        loop {
            let rest = &self.text[self.at..];
            let size = rest.find(|one| matches!(one, '"' | '\\' | '\u{0}'..='\u{1f}')).ok_or_else(|| self.wrong("a quote"))?;
            made.push_str(&rest[..size]);
            self.at += size + 1;
            match rest.as_bytes()[size] {
                b'"' => return Ok(made),
                b'\\' => made.push(self.escaped()?),
                _ => return Err(self.wrong("no control character")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char> {
        let one = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        Ok(match one {
            Some(one @ (b'"' | b'\\' | b'/')) => char::from(one),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hexadecimal()?;
                let is_half = (0xd800..0xdc00).contains(&first);
                if is_half && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let second = self.hexadecimal()?;
                    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    let whole = low.map(|low| 0x10000 + ((first - 0xd800) << 10) + low);
                    return whole.and_then(char::from_u32).ok_or_else(|| self.wrong("the other half of a character"));
                }
                char::from_u32(first).ok_or_else(|| self.wrong("a whole character"))?
            }
            _ => {
                self.at -= 1;
                return Err(self.wrong("an escape"));
            }
        })
    }

    fn hexadecimal(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let value = |sum: Option<u32>, one: &u8| Some(sum? << 4 | char::from(*one).to_digit(16)?);
        let number = digits.iter().fold(Some(0), value).filter(|_| digits.len() == 4);
        let number = number.ok_or_else(|| self.wrong("four hexadecimal digits"))?;
        self.at += 4;
        Ok(number)
    }

    #[inline(never)]
    fn number(&mut self) -> Result<Item> {
        let rest = &self.text[self.at..];
        let size = rest.find(|one: char| !one.is_ascii_digit() && !"+-.eE".contains(one)).unwrap_or(rest.len());
        let (word, digits) = (&rest[..size], rest[..size].trim_start_matches('-'));
        let is_whole = digits.bytes().all(|one| one.is_ascii_digit());
        let ends_well = word.ends_with(|one: char| one.is_ascii_digit());
        let has_dot = digits.split_once('.').is_none_or(|(left, right)| !left.is_empty() && right.starts_with(|one: char| one.is_ascii_digit()));
        if !ends_well || !has_dot || word.starts_with("--") || (digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") && !digits.starts_with(['e', 'E'])) && digits.as_bytes()[1].is_ascii_digit() {
            return Err(self.wrong("a number"));
        }
        let item = match word.parse::<i128>() {
            Ok(number) if is_whole && number.unsigned_abs() < 1 << 64 => Item::Integer(number),
            _ => Item::Fraction(word.parse().map_err(|_| self.wrong("a number"))?),
        };
        self.at += size;
        Ok(item)
    }
}
