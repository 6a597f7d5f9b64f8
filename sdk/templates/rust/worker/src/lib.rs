//! How many primes there are below a number: counted by workers, each of them a process with a memory of its own, on all
//! processors. One that crashed would be counted as missing; the request goes on.

use std::time::Duration;

use mote::{cbor, label, Request, Response, Result, Value};

const WORKERS: u32 = 4;
const MOST: u32 = 2_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// What one worker does: numbers from `from` on, without `to`.
#[derive(Default, Value)]
struct Part {
    from: u32,
    to: u32,
}

fn is_prime(n: u32) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

/// A worker: counts its part, and sends the result to who started it.
#[mote::export]
fn count() -> Result {
    let part: Part = cbor::from_slice(&mote::input())?;
    let found = (part.from..part.to).filter(|n| is_prime(*n)).count();
    let Some(parent) = mote::parent() else {
        return Ok(());
    };
    mote::send(parent, label("found"), &cbor::to_vec(&found)?)
}

/// Starts a worker for each part and adds up what they send.
fn share(below: u32) -> Result<usize> {
    for i in 0..WORKERS {
        let part = Part { from: below * i / WORKERS, to: below * (i + 1) / WORKERS };
        mote::spawn("counter", &cbor::to_vec(&part)?)?;
    }
    let mut sum = 0;
    for _ in 0..WORKERS {
        sum += cbor::from_slice::<usize>(&mote::receive_within(PATIENCE)?.body)?;
    }
    Ok(sum)
}

#[derive(Default, Value)]
struct Counted {
    below: u32,
    primes: usize,
    workers: u32,
}

/// `GET /primes?below=N`
#[mote::export]
fn primes(request: Request) -> Response {
    let below = request.query("below").and_then(|word| word.parse().ok());
    let Some(below @ 0..=MOST) = below else {
        return Response::text(format!("below is a number of at most {MOST}\n")).status(400);
    };
    match share(below) {
        Ok(primes) => Response::json(&Counted { below, primes, workers: WORKERS }),
        Err(_) => Response::text("a worker did not finish\n").status(503),
    }
}
