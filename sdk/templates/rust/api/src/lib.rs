//! A JSON API. Each request runs in an instance of its own.

use std::time::{SystemTime, UNIX_EPOCH};

use mote::{Request, Response, Value};

#[derive(Default, Value)]
struct Failure {
    error: String,
}

fn fail(status: u16, text: &str) -> Response {
    Response::json(&Failure { error: text.to_string() }).status(status)
}

#[derive(Default, Value)]
struct Status {
    app: String,
    time: u64,
}

/// `GET /api/status`
#[mote::export]
fn status() -> Response {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Response::json(&Status { app: "__NAME__".to_string(), time })
}

#[derive(Default, Value)]
struct Square {
    n: u64,
    square: u64,
}

/// `GET /api/square/:n`
#[mote::export]
fn square(request: Request) -> Response {
    match request.param("n").parse() {
        Ok(n @ 0..=1_000_000) => Response::json(&Square { n, square: n * n }),
        _ => fail(400, "n is a number up to 1000000"),
    }
}

#[derive(Default, Value)]
struct Sum {
    count: usize,
    sum: i64,
}

fn sum_of(text: &str) -> Option<Sum> {
    let numbers: Result<Vec<i32>, _> = text.split_whitespace().map(str::parse).collect();
    let numbers = numbers.ok()?;
    Some(Sum { count: numbers.len(), sum: numbers.iter().copied().map(i64::from).sum() })
}

/// `POST /api/sum`: adds the numbers of a body as "1 2 39".
#[mote::export]
fn sum(mut request: Request) -> Response {
    let Ok(body) = request.body(2048) else {
        return fail(413, "a body of at most 2048 bytes is wanted");
    };
    match sum_of(&String::from_utf8_lossy(&body)) {
        Some(sum) => Response::json(&sum),
        None => fail(400, "numbers with spaces between them are wanted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo test` runs what needs no node.
    #[test]
    fn numbers_are_added() {
        assert_eq!(sum_of("1 2 39").map(|sum| sum.sum), Some(42));
        assert!(sum_of("one").is_none());
    }
}
