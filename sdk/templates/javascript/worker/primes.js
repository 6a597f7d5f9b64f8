// How many primes there are below a number: counted by workers, each of them a process with a memory of its own, on all
// processors. One that crashed would be missed after a while; the request says so.
import { parent, receive, send, spawn } from "mote";

const WORKERS = 4;
const MOST = 200000;
const PATIENCE_MS = 20000;

const isPrime = (n) => {
    for (let d = 2; d * d <= n; d++) {
        if (n % d === 0) {
            return false;
        }
    }
    return n > 1;
};

// A worker: counts its part, and sends the result to who started it.
export const count = (input) => {
    const { from, to } = input.json();
    let found = 0;
    for (let n = from; n < to; n++) {
        found += isPrime(n) ? 1 : 0;
    }
    send(parent(), "found", found);
};

// GET /primes?below=N
export const primes = async (request) => {
    const below = Number(new URL(request.url).searchParams.get("below"));
    if (!Number.isInteger(below) || below < 0 || below > MOST) {
        return new Response(`below is a number of at most ${MOST}\n`, { status: 400 });
    }
    for (let i = 0; i < WORKERS; i++) {
        spawn("counter", { from: Math.floor((below * i) / WORKERS), to: Math.floor((below * (i + 1)) / WORKERS) });
    }
    let sum = 0;
    for (let i = 0; i < WORKERS; i++) {
        const mail = await receive({ timeout: PATIENCE_MS });
        if (mail === null) {
            return new Response("a worker did not finish\n", { status: 503 });
        }
        sum += mail.json();
    }
    return Response.json({ below, primes: sum, workers: WORKERS });
};
