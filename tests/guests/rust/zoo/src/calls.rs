//! A service that others call in CBOR, and who calls such a service: test_calls.py has a pair of each with every language.

use mote::cbor::Item;
use mote::{whereis, Error, ErrorKind, Function, Pid, Request, Response, Result, Service, Value, CALL_TIMEOUT};

#[derive(Default, Value)]
struct Sum {
    a: i64,
    b: i64,
}

#[derive(Default, Value)]
struct Thing {
    name: String,
    numbers: Vec<u32>,
    fine: bool,
}

#[derive(Default, Value)]
struct Description {
    text: String,
    count: usize,
    fine: bool,
}

const ADD: Function<Sum, i64> = Function::new("", "add");
const DESCRIBE: Function<Thing, Description> = Function::new("", "describe");
/// The same functions, asked for what they are not.
const ADD_ITEM: Function<Item, i64> = Function::new("", "add");
const ADD_ONE: Function<i64, i64> = Function::new("", "add");
const SUBTRACT: Function<(), ()> = Function::new("", "subtract");

#[mote::export]
fn service() -> Result {
    Service::new(())
        .on(ADD, |_, sum| Ok(sum.a + sum.b))
        .on(DESCRIBE, |_, thing| {
            Ok(Description { text: thing.name, count: thing.numbers.len(), fine: !thing.fine })
        })
        .run()
}

fn tell(service: Pid) -> Result<String> {
    let text = |text: &str| Item::Text(text.to_string());
    let numbers = Item::Map(vec![
        (text("unknown"), Item::List(vec![Item::Null, Item::Bytes(vec![0xff])])),
        (text("a"), Item::Integer(-4_000_000_000)),
        (text("b"), Item::Integer(300)),
    ]);
    let total = ADD_ITEM.call_pid(service, numbers, CALL_TIMEOUT)?;
    let thing = Thing { name: "zürich".to_string(), numbers: vec![100_000, 200_000, 400_000], fine: true };
    let described = DESCRIBE.call_pid(service, thing, CALL_TIMEOUT)?;
    let fine = if described.fine { "fine" } else { "not fine" };
    let kind = |result: Option<Error>| result.map(|error| error.kind());
    let malformed = kind(ADD_ONE.call_pid(service, 1, CALL_TIMEOUT).err()) == Some(ErrorKind::Malformed);
    let unknown = kind(SUBTRACT.call_pid(service, (), CALL_TIMEOUT).err()) == Some(ErrorKind::NotFound);
    Ok(format!(
        "sum {total}\n{} {fine} {}\n{}{}",
        described.text,
        described.count,
        if malformed { "malformed\n" } else { "" },
        if unknown { "not found\n" } else { "" }
    ))
}

#[mote::export]
fn ask(request: Request) -> Response {
    let service = whereis(&request.query("service").unwrap_or_default());
    Response::text(service.and_then(tell).unwrap_or_else(|error| format!("{error}\n")))
}
