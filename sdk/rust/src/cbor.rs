//! What is passed between processes: values as CBOR (RFC 8949), in the form that all languages agree on (docs/calls.md of mote).

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::error::{Error, ErrorKind, Result};

/// Values that contain others deeper than this are refused, on the way out as on the way in.
const DEPTH_MAX: u32 = 64;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// What can be passed: `#[derive(Default, mote::Value)]` makes it of a struct, a map by the names of its fields. What is missing, or null,
/// has its default; what is not known is skipped.
pub trait Value: Default {
    fn write(&self, to: &mut Writer);
    fn read(from: &mut Reader<'_>) -> Result<Self>;

    /// No bytes at all say it.
    #[doc(hidden)]
    fn is_nothing(&self) -> bool {
        false
    }
    #[doc(hidden)]
    fn write_list(list: &[Self], to: &mut Writer) {
        to.list(list.len(), |to| list.iter().for_each(|one| one.write(to)));
    }
    #[doc(hidden)]
    fn read_list(from: &mut Reader<'_>) -> Result<Vec<Self>> {
        from.list(Value::read)
    }
}

/// A value as CBOR. `()` is no bytes.
pub fn to_vec<T: Value>(value: &T) -> Result<Vec<u8>> {
    if value.is_nothing() {
        return Ok(Vec::new());
    }
    let mut writer = Writer::default();
    value.write(&mut writer);
    match writer.is_too_deep {
        true => Err(Error::new(ErrorKind::Limit, "a value that is too deep")),
        false => Ok(writer.bytes),
    }
}

/// One item of any sender. No bytes are the default; bytes behind it are [`Malformed`](ErrorKind::Malformed).
pub fn from_slice<T: Value>(bytes: &[u8]) -> Result<T> {
    if bytes.is_empty() {
        return Ok(T::default());
    }
    let mut reader = Reader { bytes, depth: 0 };
    let value = T::read(&mut reader)?;
    match reader.bytes {
        [] => Ok(value),
        _ => Err(Error::malformed("CBOR: bytes behind the value")),
    }
}

/// Writes items, one behind the other.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    depth: u32,
    is_too_deep: bool,
}

impl Writer {
    fn head(&mut self, kind: u8, number: u64) {
        let first = kind << 5;
        let (code, size) = match number {
            0..=23 => return self.bytes.push(first | number as u8),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        self.bytes.push(first | code);
        self.bytes.extend_from_slice(&number.to_be_bytes()[8 - size..]);
    }

    fn inside(&mut self, write: impl FnOnce(&mut Writer)) {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.is_too_deep = true;
        } else {
            write(self);
        }
        self.depth -= 1;
    }

    pub fn integer(&mut self, number: i128) {
        match number {
            0.. => self.head(UNSIGNED, number as u64),
            _ => self.head(NEGATIVE, !number as u64),
        }
    }

    pub fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub fn fraction(&mut self, number: f64) {
        self.bytes.push(SIMPLE << 5 | 27);
        self.bytes.extend_from_slice(&number.to_be_bytes());
    }

    pub fn truth(&mut self, value: bool) {
        self.bytes.push(SIMPLE << 5 | if value { 21 } else { 20 });
    }

    pub fn null(&mut self) {
        self.bytes.push(SIMPLE << 5 | 22);
    }

    /// `write` is to write `count` items.
    pub fn list(&mut self, count: usize, write: impl FnOnce(&mut Writer)) {
        self.head(LIST, count as u64);
        self.inside(write);
    }

    /// `write` is to write `count` keys, each with its value behind it.
    pub fn map(&mut self, count: usize, write: impl FnOnce(&mut Writer)) {
        self.head(MAP, count as u64);
        self.inside(write);
    }

    /// One name of a map with its value.
    pub fn field<T: Value>(&mut self, name: &str, value: &T) {
        self.text(name);
        value.write(self);
    }
}

/// Reads items, one behind the other.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    depth: u32,
}

fn cut_short() -> Error {
    Error::malformed("CBOR: cut short")
}

fn unfit(what: &str) -> Error {
    Error::malformed(&format!("CBOR: not {what}"))
}

impl<'a> Reader<'a> {
    fn take(&mut self, size: u64) -> Result<&'a [u8]> {
        let size = usize::try_from(size).ok().filter(|size| *size <= self.bytes.len()).ok_or_else(cut_short)?;
        let (taken, rest) = self.bytes.split_at(size);
        self.bytes = rest;
        Ok(taken)
    }

    /// The kind of an item, what its first byte says, and its number, whose meaning is the kind's. Tags are skipped.
    fn head(&mut self) -> Result<(u8, u8, u64)> {
        loop {
            let first = self.take(1)?[0];
            let (kind, low) = (first >> 5, first & 31);
            let number = match low {
                0..=23 => u64::from(low),
                24..=27 => self.take(1 << (low - 24))?.iter().fold(0, |sum, one| sum << 8 | u64::from(*one)),
                _ => return Err(Error::malformed("CBOR: a length that is not told first")),
            };
            if kind != TAG {
                return Ok((kind, low, number));
            }
        }
    }

    /// Whether null, or undefined, is next, which is then behind us.
    pub fn null(&mut self) -> bool {
        let before = self.bytes;
        if matches!(self.head(), Ok((SIMPLE, 22 | 23, _))) {
            return true;
        }
        self.bytes = before;
        false
    }

    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(Error::malformed("CBOR: too deep"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    pub fn integer(&mut self) -> Result<i128> {
        match self.head()? {
            (UNSIGNED, _, number) => Ok(i128::from(number)),
            (NEGATIVE, _, number) => Ok(-1 - i128::from(number)),
            _ => Err(unfit("a number")),
        }
    }

    pub fn fraction(&mut self) -> Result<f64> {
        match self.head()? {
            (UNSIGNED, _, number) => Ok(number as f64),
            (NEGATIVE, _, number) => Ok(-1.0 - number as f64),
            (SIMPLE, 25, bits) => Ok(half(bits)),
            (SIMPLE, 26, bits) => Ok(f32::from_bits(bits as u32).into()),
            (SIMPLE, 27, bits) => Ok(f64::from_bits(bits)),
            _ => Err(unfit("a fraction")),
        }
    }

    pub fn truth(&mut self) -> Result<bool> {
        match self.head()? {
            (SIMPLE, low @ (20 | 21), _) => Ok(low == 21),
            _ => Err(unfit("a truth value")),
        }
    }

    pub fn text(&mut self) -> Result<&'a str> {
        match self.head()? {
            (TEXT, _, size) => {
                std::str::from_utf8(self.take(size)?).map_err(|_| Error::malformed("CBOR: a text that is no UTF-8"))
            }
            _ => Err(unfit("a text")),
        }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        match self.head()? {
            (BYTES, _, size) => self.take(size),
            _ => Err(unfit("bytes")),
        }
    }

    /// How many items of at least `each` bytes there are; believed only as far as there are bytes for them.
    fn count(&self, count: u64, each: u64) -> Result<usize> {
        match count <= self.bytes.len() as u64 / each {
            true => Ok(count as usize),
            false => Err(cut_short()),
        }
    }

    pub fn list<T>(&mut self, read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let (LIST, _, count) = self.head()? else {
            return Err(unfit("a list"));
        };
        let (count, mut read) = (self.count(count, 1)?, read);
        self.inside(|from| (0..count).map(|_| read(from)).collect())
    }

    /// `entry` is to read a key, and then its value.
    pub fn map(&mut self, mut entry: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let (MAP, _, count) = self.head()? else {
            return Err(unfit("a map"));
        };
        let count = self.count(count, 2)?;
        self.inside(|from| (0..count).try_for_each(|_| entry(from)))
    }

    /// A map by names. `field` is to read, or skip, the value of that name.
    pub fn record(&mut self, mut field: impl FnMut(&str, &mut Self) -> Result<()>) -> Result<()> {
        if self.null() {
            return Ok(());
        }
        self.map(|from| {
            let name = from.text()?;
            field(name, from)
        })
    }

    /// Leaves out an item that nobody wants.
    pub fn skip(&mut self) -> Result<()> {
        let (kind, _, number) = self.head()?;
        match kind {
            BYTES | TEXT => self.take(number).map(drop),
            LIST => {
                let count = self.count(number, 1)?;
                self.inside(|from| (0..count).try_for_each(|_| from.skip()))
            }
            MAP => {
                let count = self.count(number, 2)?;
                self.inside(|from| (0..2 * count).try_for_each(|_| from.skip()))
            }
            _ => Ok(()),
        }
    }
}

fn half(bits: u64) -> f64 {
    let (exponent, fraction) = ((bits >> 10 & 31) as i32, (bits & 0x3ff) as f64);
    let value = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 != 0 { -value } else { value }
}

macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl Value for $kind {
            fn write(&self, to: &mut Writer) {
                to.integer(*self as i128);
            }
            fn read(from: &mut Reader<'_>) -> Result<Self> {
                if from.null() {
                    return Ok(0);
                }
                Self::try_from(from.integer()?).map_err(|_| unfit(concat!("a number of type ", stringify!($kind))))
            }
        }
    )*};
}
integers!(u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Value for u8 {
    fn write(&self, to: &mut Writer) {
        to.integer((*self).into());
    }
    fn read(from: &mut Reader<'_>) -> Result<u8> {
        if from.null() {
            return Ok(0);
        }
        u8::try_from(from.integer()?).map_err(|_| unfit("a number of type u8"))
    }
    /// Many of them are bytes, not a list.
    fn write_list(list: &[u8], to: &mut Writer) {
        to.bytes(list);
    }
    fn read_list(from: &mut Reader<'_>) -> Result<Vec<u8>> {
        from.bytes().map(<[u8]>::to_vec)
    }
}

macro_rules! plain {
    ($($kind:ty, $write:expr, $read:expr;)*) => {$(
        impl Value for $kind {
            fn write(&self, to: &mut Writer) {
                let write: fn(&mut Writer, &$kind) = $write;
                write(to, self);
            }
            fn read(from: &mut Reader<'_>) -> Result<Self> {
                let read: fn(&mut Reader<'_>) -> Result<$kind> = $read;
                if from.null() { Ok(Self::default()) } else { read(from) }
            }
        }
    )*};
}
plain! {
    bool, |to, value| to.truth(*value), |from| from.truth();
    f64, |to, value| to.fraction(*value), |from| from.fraction();
    f32, |to, value| to.fraction(f64::from(*value)), |from| from.fraction().map(|number| number as f32);
    String, |to, value| to.text(value), |from| from.text().map(str::to_string);
}

impl Value for () {
    fn write(&self, to: &mut Writer) {
        to.null();
    }
    fn read(from: &mut Reader<'_>) -> Result<()> {
        from.skip()
    }
    fn is_nothing(&self) -> bool {
        true
    }
}

impl<T: Value> Value for Option<T> {
    fn write(&self, to: &mut Writer) {
        match self {
            Some(value) => value.write(to),
            None => to.null(),
        }
    }
    fn read(from: &mut Reader<'_>) -> Result<Option<T>> {
        if from.null() {
            return Ok(None);
        }
        T::read(from).map(Some)
    }
}

impl<T: Value> Value for Box<T> {
    fn write(&self, to: &mut Writer) {
        T::write(self, to);
    }
    fn read(from: &mut Reader<'_>) -> Result<Box<T>> {
        T::read(from).map(Box::new)
    }
}

impl<T: Value> Value for Vec<T> {
    fn write(&self, to: &mut Writer) {
        T::write_list(self, to);
    }
    fn read(from: &mut Reader<'_>) -> Result<Vec<T>> {
        if from.null() {
            return Ok(Vec::new());
        }
        T::read_list(from)
    }
}

impl<K: Value + Ord, V: Value> Value for BTreeMap<K, V> {
    fn write(&self, to: &mut Writer) {
        to.map(self.len(), |to| {
            for (key, value) in self {
                key.write(to);
                value.write(to);
            }
        });
    }
    fn read(from: &mut Reader<'_>) -> Result<BTreeMap<K, V>> {
        let mut made = BTreeMap::new();
        if !from.null() {
            from.map(|from| {
                let key = K::read(from)?;
                made.insert(key, V::read(from)?);
                Ok(())
            })?;
        }
        Ok(made)
    }
}

impl<K: Value + Eq + Hash, V: Value, S: BuildHasher + Default> Value for HashMap<K, V, S> {
    fn write(&self, to: &mut Writer) {
        to.map(self.len(), |to| {
            for (key, value) in self {
                key.write(to);
                value.write(to);
            }
        });
    }
    fn read(from: &mut Reader<'_>) -> Result<HashMap<K, V, S>> {
        let mut made = HashMap::default();
        if !from.null() {
            from.map(|from| {
                let key = K::read(from)?;
                made.insert(key, V::read(from)?);
                Ok(())
            })?;
        }
        Ok(made)
    }
}

/// A value of any type.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Item {
    #[default]
    Null,
    Truth(bool),
    Integer(i128),
    Fraction(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Item>),
    Map(Vec<(Item, Item)>),
}

impl Value for Item {
    fn write(&self, to: &mut Writer) {
        match self {
            Item::Null => to.null(),
            Item::Truth(value) => to.truth(*value),
            Item::Integer(number) => to.integer(*number),
            Item::Fraction(number) => to.fraction(*number),
            Item::Text(text) => to.text(text),
            Item::Bytes(bytes) => to.bytes(bytes),
            Item::List(list) => list.write(to),
            Item::Map(entries) => to.map(entries.len(), |to| {
                for (key, value) in entries {
                    key.write(to);
                    value.write(to);
                }
            }),
        }
    }
    fn read(from: &mut Reader<'_>) -> Result<Item> {
        let before = from.bytes;
        let (kind, low, _) = from.head()?;
        from.bytes = before;
        Ok(match (kind, low) {
            (UNSIGNED | NEGATIVE, _) => Item::Integer(from.integer()?),
            (BYTES, _) => Item::Bytes(from.bytes()?.to_vec()),
            (TEXT, _) => Item::Text(from.text()?.to_string()),
            (LIST, _) => Item::List(Value::read(from)?),
            (MAP, _) => {
                let mut entries = Vec::new();
                from.map(|from| {
                    let key = Item::read(from)?;
                    entries.push((key, Item::read(from)?));
                    Ok(())
                })?;
                Item::Map(entries)
            }
            (_, 20 | 21) => Item::Truth(from.truth()?),
            (_, 22 | 23) => {
                from.null();
                Item::Null
            }
            _ => Item::Fraction(from.fraction()?),
        })
    }
}
