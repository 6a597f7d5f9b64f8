use mote::Response;

#[mote::export]
fn hello() -> Response {
    Response::text("hello\n")
}
