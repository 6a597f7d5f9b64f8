//! Each request runs in an instance of its own, which is gone when its handler returns.

use mote::{Request, Response};

/// `GET /`
#[mote::export]
fn index() -> Response {
    Response::text("hello from __NAME__\n")
}

/// `GET /hello/:name`
#[mote::export]
fn greet(request: Request) -> Response {
    Response::text(format!("hello, {}\n", request.param("name")))
}
