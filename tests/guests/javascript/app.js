// What tests/e2e/test_javascript.py asks of JavaScript guests.
import { call, client, env, param, receive, reply, self, send, service, sleep, spawn, whereis } from "mote";

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
        throw Object.assign(new Error("full up"), { code: "full" });
    },
});

export const bump = async () => {
    const service = client("counter");
    const error = await service.wrong().catch((one) => one.code);
    const missing = await service.missing().catch((one) => one.code);
    return Response.json([await service.bump(2), await service.bump(), await service.slow("x"), error, missing]);
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
        reply(mail, `answer to ${mail.text()}`);
    }
};
