//! A room. Each WebSocket is a process of its own; what one says is published to all that are in the group.

use mote::{json, task, Message, Response, Result, Socket, Value};

const ROOM: &str = "room";

/// What somebody says, as the page writes and reads it.
#[derive(Default, Value)]
struct Line {
    name: String,
    text: String,
}

/// `GET /`
#[mote::export]
fn index() -> Response {
    Response::html(include_str!("page.html"))
}

/// `WS /socket`: two tasks, one for what the client says, one for what the room says.
#[mote::export]
async fn socket(client: Socket) -> Result {
    if mote::join(ROOM).is_err() {
        return client.close(1011, "the room is full");
    }
    task::spawn(listen(client));
    loop {
        match line_of(&client.receive_async().await?) {
            Some(line) => drop(mote::publish(ROOM, 0, json::to_string(&line)?.as_bytes())?),
            None => return client.close(1008, "that is no line"),
        }
    }
}

async fn listen(client: Socket) -> Result {
    loop {
        let mail = mote::receive_async().await?;
        client.send_text(&String::from_utf8_lossy(&mail.body))?;
    }
}

/// A line as this program writes it: what a client sends goes to nobody as it is.
fn line_of(message: &Message) -> Option<Line> {
    let Message::Text(text) = message else {
        return None;
    };
    let line: Line = json::from_slice(text.as_bytes()).ok()?;
    (!line.text.is_empty() && line.name.len() <= 40).then_some(line)
}
