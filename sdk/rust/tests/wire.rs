//! What does not need a node: values as CBOR and as JSON, and labels.

use std::collections::BTreeMap;

use mote::cbor::{from_slice, to_vec, Item};
use mote::{json, label, ErrorKind, Value};

#[derive(Clone, Debug, Default, PartialEq, Value)]
struct Thing {
    name: String,
    numbers: Vec<u32>,
    bytes: Vec<u8>,
    r#type: Option<Box<Thing>>,
    table: BTreeMap<String, f64>,
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn written<T: Value>(value: T) -> String {
    to_vec(&value).unwrap().iter().map(|one| format!("{one:02x}")).collect()
}

fn is_malformed<T: Value + std::fmt::Debug>(text: &str) -> bool {
    matches!(from_slice::<T>(&hex(text)), Err(error) if error.kind() == ErrorKind::Malformed)
}

#[test]
fn values_of_the_rfc_are_written_as_it_says() {
    for (number, text) in [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (1_000_000, "1a000f4240"),
        (1_000_000_000_000, "1b000000e8d4a51000"),
        (-1, "20"),
        (-100, "3863"),
        (-1000, "3903e7"),
    ] {
        assert_eq!(written(number as i64), text);
        assert_eq!(from_slice::<i64>(&hex(text)).unwrap(), number);
    }
    assert_eq!(written(u64::MAX), "1bffffffffffffffff");
    assert_eq!(written(i64::MIN), "3b7fffffffffffffff");
    assert_eq!(written(1.1), "fb3ff199999999999a");
    assert_eq!(written("ü".to_string()), "62c3bc");
    assert_eq!(written(vec![1_u8, 2, 3, 4]), "4401020304");
    assert_eq!(written(vec![1_u16, 2, 3]), "83010203");
    assert_eq!(written(vec![true, false]), "82f5f4");
    assert_eq!(written(None::<bool>), "f6");
    assert_eq!(written(()), "");
    assert_eq!(written(BTreeMap::from([("a".to_string(), 1), ("b".to_string(), 2)])), "a2616101616202");
}

#[test]
fn other_forms_are_read() {
    for (text, value) in [("f93c00", 1.0), ("f97bff", 65504.0), ("f90001", 5.960464477539063e-8), ("fa47c35000", 100000.0), ("05", 5.0)] {
        assert_eq!(from_slice::<f64>(&hex(text)).unwrap(), value);
    }
    assert!(from_slice::<f64>(&hex("f97e00")).unwrap().is_nan());
    assert_eq!(from_slice::<f64>(&hex("f9fc00")).unwrap(), f64::NEG_INFINITY);
    assert_eq!(from_slice::<u8>(&hex("1b0000000000000007")).unwrap(), 7);
    assert_eq!(from_slice::<i64>(&hex("c11a514b67b0")).unwrap(), 1363896240);
    assert_eq!(from_slice::<i64>(&hex("f6")).unwrap(), 0);
    assert_eq!(from_slice::<String>(&hex("f7")).unwrap(), "");
    assert_eq!(from_slice::<Vec<u32>>(&[]).unwrap(), Vec::new());
    let known = from_slice::<Thing>(&hex("a2617882a0f664 6e616d65 6141".replace(' ', "").as_str())).unwrap();
    assert_eq!(known, Thing { name: "A".to_string(), ..Thing::default() });
}

#[test]
fn what_is_written_is_read_back() {
    let inner = Thing { name: "inner".to_string(), numbers: vec![0, u32::MAX], ..Thing::default() };
    let thing = Thing {
        bytes: vec![0, 255],
        r#type: Some(Box::new(inner)),
        table: BTreeMap::from([("x".to_string(), -0.5)]),
        ..Thing::default()
    };
    let bytes = to_vec(&thing).unwrap();
    assert_eq!(from_slice::<Thing>(&bytes).unwrap(), thing);
    let item: Item = from_slice(&bytes).unwrap();
    assert_eq!(to_vec(&item).unwrap(), bytes);
    for size in 1..bytes.len() {
        assert!(from_slice::<Thing>(&bytes[..size]).is_err(), "{size} bytes");
    }
}

#[test]
fn what_is_broken_is_malformed() {
    for text in ["18", "1c", "5f4100ff", "9f00ff", "0000", "61ff", "9bffffffffffffffff", "bb7fffffffffffffff", "5a7fffffff00", "f8"] {
        assert!(is_malformed::<Item>(text), "{text}");
    }
    assert!(is_malformed::<u8>("190100") && is_malformed::<u32>("20") && is_malformed::<i64>("1bffffffffffffffff"));
    assert!(is_malformed::<String>("4161") && is_malformed::<Vec<u8>>("6161") && is_malformed::<bool>("01"));
    assert!(is_malformed::<Item>(&("81".repeat(65) + "00")) && is_malformed::<Thing>(&("a16178".to_string() + &"81".repeat(65) + "00")));
    assert!(from_slice::<Item>(&hex(&("81".repeat(64) + "00"))).is_ok());
}

#[test]
fn what_is_too_deep_is_not_written() {
    let mut item = Item::Null;
    for _ in 0..64 {
        item = Item::List(vec![item]);
    }
    assert!(to_vec(&item).is_ok());
    assert_eq!(to_vec(&Item::List(vec![item])).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn json_is_read_as_strictly_as_its_rfc_says() {
    let read = |text: &str| json::from_slice::<Item>(text.as_bytes());
    for (text, shown) in [
        ("-0", "0"),
        ("1.5e3", "1500"),
        ("18446744073709551615", "18446744073709551615"),
        ("\"\\ud83d\\ude00\\u0001/\\/\"", "\"😀\\u0001//\""),
        (" [ 1 , { } , [ ] ] ", "[1,{},[]]"),
        ("{\"a\":{\"b\":null}}", "{\"a\":{\"b\":null}}"),
    ] {
        assert_eq!(json::to_string(&read(text).unwrap()).unwrap(), shown);
    }
    for text in [
        "", "01", "1.", ".5", "-", "--1", "1e", "+1", "1.e1", "[1,]", "{\"a\"}", "{a:1}", "'a'", "nul", "\"\n\"", "\"\\x\"", "\"\\ud800\"",
        "\"\\u12\"", "\"", "1 2", "\u{a0}1", "-a", "00", "-01", "1-2",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    assert!(read(&("[".repeat(32) + &"]".repeat(32))).is_ok() && read(&("[".repeat(33) + &"]".repeat(33))).is_err());
    assert_eq!(json::to_string(&vec![0_u8]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_label_is_that_of_every_language() {
    assert_eq!(label(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(label("a"), 0xaf63_dc4c_8601_ec8c);
}
