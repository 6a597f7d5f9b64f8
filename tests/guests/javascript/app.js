// What tests/e2e/test_javascript.py asks of JavaScript guests.
import {
    call, cbor, children, client, env, events as eventsOf, Failure, param, publish, receive, reply, self, send, service, sleep,
    spawn, subscribe, supervise, whereis,
} from "mote";

let count = 0; // 1 in every request: each has a copy of its own
const atLoad = Date.now();

export default {
    fetch(request) {
        count++;
        return new Response(`hello ${count} ${request.method} ${new URL(request.url).pathname}\n`, { headers: { "x-made": "by js" } });
    },
};

export const echo = async (request) => new Response(request.body, {
    status: 201, headers: { "content-type": request.headers.get("content-type") ?? "none" },
});

export const upper = async (request) => Response.json({ length: (await request.text()).length, item: param("item") });

export const random = () => Response.json([Math.random(), crypto.randomUUID(), Date.now() - atLoad]);

export const thrower = () => {
    const nothing = undefined;
    return nothing.property;
};

export const rejecter = async () => {
    await sleep(1);
    throw new RangeError("later\nand more");
};

export const nothing = () => "no Response";
export const never = () => new Promise(() => {});
export const evil = () => {
    throw { get message() { throw new Error("inner"); }, get stack() { throw new Error("inner"); }, toString() { throw 1; } };
};

export const spin = () => {
    for (;;) {
        count++;
    }
};

export const hog = () => {
    const kept = [];
    for (;;) {
        kept.push(new Uint8Array(1 << 20).fill(1));
    }
};

export const deep = () => {
    let depth = 0;
    const down = () => {
        depth++;
        down();
    };
    try {
        down();
    } catch (error) {
        return new Response(`${error.name} ${depth > 500}`);
    }
    return new Response("no end");
};

export const nested = () => {
    const text = "[".repeat(200000);
    try {
        JSON.parse(text);
    } catch (error) {
        return new Response(error.name);
    }
    return new Response("parsed");
};

export const large = () => new Response("x".repeat(3000000));

export const late = () => new Response(new ReadableStream({
    async pull(controller) {
        await sleep(1);
        if (count++ === 2) {
            throw new Error("broken off");
        }
        controller.enqueue(new TextEncoder().encode("part"));
    },
}));

export const timers = async () => {
    const seen = [];
    setTimeout(() => seen.push("first"), 0);
    const interval = setInterval(() => seen.push("tick"), 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    clearInterval(interval);
    return Response.json([seen[0], seen.includes("tick")]);
};

export const afterwards = (request, given, context) => {
    context.waitUntil(sleep(1).then(() => console.log("after the answer", { a: [1, "two"] })));
    return new Response("answered");
};

export const variable = () => new Response(`${typeof env.PATH} ${env.HOME}`);

// ---- events, WebSockets

export const events = () => {
    let sent = 0;
    return new Response(new ReadableStream({
        async pull(controller) {
            await sleep(1);
            controller.enqueue(new TextEncoder().encode(`id: ${++sent}\ndata: event ${sent}\n\n`));
            if (sent === 3) {
                controller.close();
            }
        },
    }), { headers: { "content-type": "text/event-stream" } });
};

export const socket = {
    open(ws) {
        ws.data = 0;
        ws.send(`welcome to ${new URL(ws.request.url).pathname}`);
    },
    async message(ws, data) {
        if (data === "close") {
            ws.close(4001, "as asked");
            return;
        }
        await sleep(1);
        ws.send(typeof data === "string" ? `${++ws.data}: ${data}` : data.map((byte) => byte + 1));
    },
    close(ws, code, reason) {
        console.log(`closed ${code} ${reason}`);
    },
};

// ---- requests to others

export const proxy = async (request) => {
    const url = new URL(request.url).searchParams.get("url");
    const answer = await fetch(url, { method: request.method, body: request.body, headers: { "x-from": "js" } });
    return new Response(answer.body, { status: answer.status, headers: { "x-type": answer.headers.get("content-type") } });
};

export const both = async (request) => {
    const query = new URL(request.url).searchParams;
    const texts = await Promise.all(query.getAll("url").map(async (url) => (await fetch(url)).text()));
    return Response.json(texts);
};

export const denied = async () => {
    try {
        await fetch("http://192.0.2.1/");
    } catch (error) {
        return new Response(`${error.name}: ${error.message}: ${error.cause.message}`);
    }
    return new Response("not denied");
};

export const aborted = async (request) => {
    const url = new URL(request.url).searchParams.get("url");
    try {
        await fetch(url, { signal: AbortSignal.timeout(20) });
    } catch (error) {
        return new Response(error.name);
    }
    return new Response("came back");
};

// ---- processes

let total = 0;
export const counter = service({
    bump(by = 1) {
        total += by;
        return total;
    },
    async slow(text) {
        await sleep(1);
        return { text };
    },
    wrong() {
        throw new Failure("full", "there is no room");
    },
    broken() {
        throw new Error("nobody's business");
    },
});

export const bump = async () => {
    const service = client("counter");
    const error = await service.wrong().catch((one) => `${one.code}: ${one.message}`);
    const missing = await service.missing().catch((one) => one.code);
    const broken = await service.broken().catch((one) => one.message);
    const many = await service.bump(1, 2).catch((one) => one.name);
    return Response.json([await service.bump(2), await service.bump(), await service.slow("x"), error, missing, broken, many]);
};

export const cast = async () => {
    const service = client("counter");
    const before = await service.bump(0);
    service.bump.cast(5);
    return Response.json(await service.bump(0) - before);
};

// What is posted is read as CBOR: as JavaScript writes it, and as CBOR again.
export const coded = async (request) => {
    const show = (_, value) => (typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? `bytes ${value}`
        : Object.is(value, -0) ? "-0" : typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
    try {
        const value = cbor.decode(await request.bytes());
        return Response.json([JSON.stringify(value, show) ?? "undefined", [...cbor.encode(value)]]);
    } catch (error) {
        return Response.json([error.code ?? error.name]);
    }
};

export const uncoded = () => {
    const loop = {};
    loop.loop = loop;
    const values = [() => {}, Symbol("s"), loop, 1n << 64n, -(1n << 64n) - 1n, { f() {}, u: undefined, d: new Date(0) },
        "\ud800", [undefined], new Float32Array([1.5]), -0, 2 ** 53, -(2 ** 53 - 1)];
    return Response.json(values.map((value) => {
        try {
            return [...cbor.encode(value)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
        } catch (error) {
            return error.name;
        }
    }));
};

// ---- supervisors, groups, streams between processes

// A child of the supervisor below: it tells that it is there.
export const child = async (input) => {
    publish("children", "begun", input.json() ?? null);
    await new Promise(() => setInterval(() => {}, 1 << 30));
};

export const supervised = async () => {
    const news = subscribe("children");
    const pid = supervise([{ name: "one", component: "child", input: { n: 1 } }, { component: "child", restart: "temporary" }],
        { strategy: "one-for-all" });
    const inputs = [];
    for await (const mail of news) {
        inputs.push(mail.json());
        if (inputs.length === 2) {
            break;
        }
    }
    let wrong = "";
    try {
        supervise([], { strategy: "none" });
    } catch (error) {
        wrong = error.name;
    }
    return Response.json([inputs, children(pid).map((one) => [one.name, one.pid > 0n, one.restarts]), wrong]);
};

export const news = () => eventsOf(async function* () {
    const heard = subscribe("news");
    publish("news", "line", "first\nsecond");
    publish("news", "line", { n: 2 });
    let count = 0;
    for await (const mail of heard) {
        yield { event: "news", id: ++count, retry: 100, data: count === 1 ? mail.text() : mail.json() };
        if (count === 2) {
            return;
        }
    }
});

export const handed = async () => {
    const mail = await call("answerer", "read", null, { stream: ReadableStream.from((async function* () {
        for (let i = 0; i < 200; i++) {
            yield new Uint8Array(1000).fill(i);
        }
    })()) });
    const text = await new Response(mail.stream).text();
    return new Response(`${mail.text()} ${text.length}`);
};

export const worker = async (input) => {
    const { to, text } = input.json();
    send(BigInt(to), "done", { text: text.toUpperCase() });
};

export const spawner = async () => {
    spawn("worker", { to: String(self()), text: "shout" });
    const mail = await receive({ timeout: 10000 });
    const none = await receive({ timeout: 1 });
    return Response.json([mail.kind, mail.json(), none, whereis("nobody")]);
};

export const asker = async () => {
    const mail = await call("answerer", "ask", "question");
    return new Response(mail.text());
};

export const answerer = async () => {
    for (;;) {
        const mail = await receive();
        if (mail.kind === "stop") {
            return;
        }
        if (mail.stream !== undefined) {
            const bytes = await new Response(mail.stream).bytes();
            reply(mail, `${bytes.length} ${bytes[199999]}`, { stream: new Response("y".repeat(300000)).body });
            continue;
        }
        reply(mail, `answer to ${mail.text()}`);
    }
};
