//! One entry for each thing that a guest in Rust does; test_rust.py drives them.

mod calls;

use std::io::{Read, Write};
use std::time::Duration;

use mote::{
    cbor, json, label, task, Answer, Child, Error, ErrorKind, Event, Events, ExitClass, Fetch, Function, Mail, Message,
    Request, Response, Result, Service, Socket, Spawning, Stream, Supervisor, Value, CALL_TIMEOUT,
};

#[mote::export]
fn hello(request: Request) -> Response {
    Response::text(format!("hello {}\n", request.param("name"))).header("x-split", "one\r\nX-More: two")
}

/// Each piece goes back as it comes.
#[mote::export]
fn echo(mut request: Request) -> Result {
    let kind = request.header("Content-Type").unwrap_or_default();
    let mut answer = Answer::begin(200, &[("content-type", &kind)], None)?;
    let mut piece = [0; 4096];
    loop {
        let size = request.read(&mut piece)?;
        if size == 0 {
            return Ok(());
        }
        answer.write_all(&piece[..size])?;
    }
}

/// More than one answer may have at once.
#[mote::export]
fn large() -> Response {
    Response::bytes("application/octet-stream", vec![b'x'; 3 << 20])
}

#[derive(Default, Value)]
struct Person {
    name: String,
    born: Option<u16>,
    friends: Vec<String>,
    tall: f64,
}

#[mote::export]
fn person(mut request: Request) -> Response {
    match request.json::<Person>(1024) {
        Ok(person) => Response::json(&person),
        Err(error) => Response::text(format!("{error}\n")).status(400),
    }
}

/// As deep as it may be, which the stack has to have room for.
#[mote::export]
fn deep() -> Result<Response> {
    for first in [&[0x81_u8][..], &[0xa1, 0x00]] {
        let bytes = [first.repeat(64), vec![0]].concat();
        if cbor::to_vec(&cbor::from_slice::<cbor::Item>(&bytes)?)? != bytes {
            return Ok(Response::new(500));
        }
    }
    let text = "{\"a\":[".repeat(16) + &"]}".repeat(16);
    Ok(Response::json(&json::from_slice::<cbor::Item>(text.as_bytes())?))
}

#[mote::export]
fn crash(request: Request) {
    let list = [1, 2, 3];
    println!("{}", list[request.path().len() + 3]);
}

#[mote::export]
fn fails() -> Result {
    Err(Error::new(ErrorKind::Limit, "there are too many of them"))
}

#[mote::export]
async fn stuck() {
    std::future::pending::<()>().await;
}

/// Asks somebody else, who answers only once the other task has asked, too.
#[mote::export]
async fn fetch(request: Request) -> Result<Response> {
    let url = request.query("url").unwrap_or_default();
    let release = Fetch::get(&format!("{url}release")).header("x-from", "rust");
    task::spawn(async move {
        task::sleep(Duration::from_millis(1)).await?;
        release.start()?.status_async().await
    });
    match asked(&url).await {
        Ok((status, body)) => Ok(Response::text(body).status(status)),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(Response::text("denied\n").status(403)),
        Err(error) => Ok(Response::text(format!("{error}\n")).status(502)),
    }
}

async fn asked(url: &str) -> Result<(u16, String)> {
    let mut fetch = Fetch::get(url).header("x-from", "rust").start()?;
    let status = fetch.status_async().await?;
    Ok((status, String::from_utf8(fetch.answer.read_to_end_async().await?)?))
}

#[mote::export]
fn events() -> Result {
    let events = Events::begin(&[])?;
    for i in 0..3 {
        events.send(Event { name: Some("count"), id: Some(&i.to_string()), data: &format!("number {i}") })?;
    }
    Ok(())
}

/// Two waits: of the socket, and of what is published.
#[mote::export]
async fn socket(socket: Socket) -> Result {
    mote::join("room")?;
    task::spawn(async move {
        loop {
            let mail = mote::receive_async().await?;
            socket.send_text(&format!("published: {}", String::from_utf8_lossy(&mail.body)))?;
        }
        #[allow(unreachable_code)]
        Ok::<(), Error>(())
    });
    loop {
        match socket.receive_async().await? {
            Message::Text(text) if text == "publish" => drop(mote::publish("room", 1, b"to all")?),
            message => socket.send(&message)?,
        }
    }
}

const BUMP: Function<i64, i64> = Function::new("counter", "bump");
const JOIN: Function<Vec<String>, String> = Function::new("counter", "join");
const FAILS: Function<String, ()> = Function::new("counter", "fails");
const SLOW: Function<(), String> = Function::new("counter", "slow");
const NEVER: Function<(), ()> = Function::new("counter", "never");
const OTHER: Function<(), ()> = Function::new("counter", "not there");

async fn later(mail: Mail) -> Result {
    task::sleep(Duration::from_millis(5)).await?;
    mail.reply(cbor::to_vec(&"after others".to_string()))
}

#[mote::export]
async fn counter() -> Result {
    Service::new(0)
        .on(BUMP, |total, by| {
            *total += by;
            Ok(*total)
        })
        .on(JOIN, |_, words| Ok(words.concat()))
        .on(FAILS, |_, why| Err(Error::new(ErrorKind::Limit, format!("because {why}"))))
        .others(|_, mail| match mail.label {
            one if one == label("slow") => drop(task::spawn(later(mail))),
            one if one == label("never") => {}
            _ => mail.reply(Err(ErrorKind::NotFound.into())).unwrap_or_default(),
        })
        .run_async()
        .await
}

fn shown<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.map_or_else(|error| format!("{:?}: {error}", error.kind()), |value| format!("{value:?}"))
}

/// One call waits while the rest goes on.
#[mote::export]
async fn calls() -> Result<Response> {
    let slow = task::spawn(SLOW.call_async(()));
    let mut lines = vec![shown(BUMP.call_async(2).await), shown(BUMP.cast(3)), shown(BUMP.call_async(-1).await)];
    lines.push(shown(JOIN.call_async(vec!["one".to_string(), "two".to_string()]).await));
    lines.push(shown(FAILS.call_async("of that".to_string()).await));
    lines.push(shown(OTHER.call_async(()).await));
    let counter = mote::whereis("counter")?;
    lines.push(shown(NEVER.call_pid_async(counter, (), Duration::from_nanos(1)).await));
    lines.push(shown(slow.await));
    Ok(Response::text(lines.join("\n")))
}

/// The same, one after the other.
#[mote::export]
fn plain_calls() -> Result<Response> {
    let mut lines = vec![shown(JOIN.call(vec!["one".to_string(), "two".repeat(1000)]).map(|text| text.len()))];
    lines.push(shown(FAILS.call("of that".to_string())));
    lines.push(shown(OTHER.call(())));
    lines.push(shown(NEVER.call_pid(mote::whereis("counter")?, (), Duration::from_nanos(1))));
    lines.push(shown(SLOW.call_pid(mote::whereis("counter")?, (), CALL_TIMEOUT)));
    lines.push(shown(Function::<(), ()>::new("nobody", "x").call(())));
    Ok(Response::text(lines.join("\n")))
}

/// One task waits for mail that comes only because the other goes on.
#[mote::export]
async fn together() -> Result<Response> {
    let heard = task::spawn(mote::receive_async());
    let (mut reader, mut writer) = Stream::pair()?;
    task::spawn(async move {
        task::sleep(Duration::from_millis(2)).await?;
        writer.write_all_async(b"through a stream").await?;
        writer.end()
    });
    let piped = reader.read_to_end_async().await?;
    mote::send(mote::self_pid(), 1, &piped)?;
    let heard = String::from_utf8(heard.await?.body)?;
    let late = task::timeout(Duration::from_millis(1), mote::receive_async()).await;
    Ok(Response::text(format!("{heard}\n{}\n", shown(late.map(drop)))))
}

/// Workers: each squares a number and says so to who spawned it.
#[mote::export]
fn square() -> Result {
    let number: i64 = cbor::from_slice(&mote::input())?;
    if number < 0 {
        mote::end("a number below 0");
    }
    let parent = mote::parent().ok_or(ErrorKind::NotFound)?;
    mote::send(parent, label("square"), &cbor::to_vec(&(number * number))?)
}

#[mote::export]
async fn workers() -> Result<Response> {
    let mut ends = Vec::new();
    for i in 0..4_i64 {
        ends.push(mote::spawn_monitored("worker", &cbor::to_vec(&i)?, Spawning::default())?.1);
    }
    let mut sum = 0;
    for _ in 0..4 {
        sum += cbor::from_slice::<i64>(&mote::receive_async().await?.body)?;
    }
    let mut lines = vec![format!("sum {sum}")];
    for end in ends {
        let exit = end.wait_async().await?;
        if exit.class != ExitClass::Normal {
            lines.push(format!("a worker failed: {}", exit.reason));
        }
    }
    let (_, end) = mote::spawn_monitored("worker", &cbor::to_vec(&-1_i64)?, Spawning::default())?;
    lines.push(end.wait()?.reason);
    lines.push(shown(mote::spawn("counter", b"").map(drop)));
    let supervisor = Supervisor { max_restarts: 1, window: Duration::from_secs(1), ..Supervisor::default() };
    let child = Child { name: "one", component: "worker#sleeper", ..Child::default() };
    lines.push(shown(supervisor.start(&[child]).map(drop)));
    Ok(Response::text(lines.join("\n")))
}

#[mote::export]
fn sleeper() -> Result {
    mote::receive().map(drop)
}
