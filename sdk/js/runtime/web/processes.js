// The module "mote": processes and their mail, services, WebSockets.

const MAIL_KINDS = ["send", "call", "reply", "down", "exit", "timer", "stop", "frame", "close"];
const EXIT_CLASSES = ["normal", "shutdown", "exited", "crashed", "crashed-memory", "crashed-cpu", "crashed-timeout", "killed",
    "noproc", "noconnection"];
const NOT_FOUND = -2;

// What a worker was given when it was spawned.
class Input {
    #bytes;

    constructor(bytes) {
        this.#bytes = bytes;
    }

    bytes() {
        return this.#bytes;
    }

    text() {
        return native.decode(this.#bytes, false);
    }

    json() {
        return this.#bytes.length === 0 ? undefined : JSON.parse(this.text());
    }

    // Of calls between languages: CBOR.
    value() {
        return native.cborDecode(this.#bytes);
    }
}

class Mail extends Input {
    constructor(raw) {
        super(raw.body);
        this.kind = MAIL_KINDS[raw.kind] ?? "send";
        this.sender = raw.sender;
        this.label = raw.label;
        this.reference = raw.reference;
        if (this.kind === "down" || this.kind === "exit") {
            this.exitClass = EXIT_CLASSES[raw.exitClass] ?? "crashed";
            this.status = raw.status;
        }
        if (raw.stream > 0) {
            this.stream = streamOf(raw.stream, () => {}, hostError);
        }
    }
}

// Strings and bytes are sent as they are, everything else as JSON.
const packed = (value) => {
    if (value === undefined || typeof value === "string") {
        return value;
    }
    return bytesOf(value) ?? JSON.stringify(value);
};

let replies = new Map(); // reference -> {resolve, reject} of calls under way
let inbox = []; // mail for receive()
let readers = []; // who waits for it
let pumping = false;

const mailIn = (raw) => {
    const waiting = raw.kind === 2 || raw.kind === 3 ? replies.get(raw.reference) : undefined;
    const mail = new Mail(raw);
    if (waiting !== undefined) {
        replies.delete(raw.reference);
        if (mail.kind === "down") {
            waiting.reject(Object.assign(new Error(`mote: closed (${mail.text()})`), { code: "closed" }));
        } else if (mail.label !== 0n) {
            waiting.reject(hostError(Number(mail.label), mail.text()));
        } else {
            waiting.resolve(mail);
        }
    } else if (readers.length > 0) {
        readers.shift()(mail);
    } else {
        inbox.push(mail);
    }
};

// Mail is taken while somebody waits for some.
const pump = async () => {
    if (pumping) {
        return;
    }
    pumping = true;
    while (readers.length > 0 || replies.size > 0) {
        const raw = native.receive();
        if (typeof raw !== "number") {
            mailIn(raw);
            await null;
        } else if (raw === TIMEOUT) {
            await waitFor(MAIL, 0);
        } else {
            const error = hostError(raw);
            for (const one of replies.values()) {
                one.reject(error);
            }
            replies.clear();
            for (const one of readers.splice(0)) {
                one(null);
            }
        }
    }
    pumping = false;
};

// The next mail; null when `timeout` milliseconds are over.
const receive = ({ timeout } = {}) => {
    if (inbox.length > 0) {
        return Promise.resolve(inbox.shift());
    }
    const { promise, resolve } = Promise.withResolvers();
    readers.push(resolve);
    if (timeout !== undefined) {
        const timer = setTimeout(() => {
            readers = readers.filter((one) => one !== resolve);
            resolve(null);
        }, timeout);
        promise.then(() => timerStop(timer));
    }
    pump();
    return promise;
};

const pidOf = (who) => {
    if (typeof who !== "string") {
        return who;
    }
    const pid = native.whereis(who);
    if (pid === null) {
        throw hostError(NOT_FOUND);
    }
    return pid;
};

// A ReadableStream of bytes as the end of a stream that another process reads.
const streamGiven = (stream) => {
    if (stream === undefined) {
        return undefined;
    }
    const [reader, writer] = native.streamOpen();
    streamPour(stream, writer).catch(() => {});
    return reader;
};

const call = async (who, name, value, { timeout = 5000, stream } = {}) => {
    const reference = native.callBegin(pidOf(who), name, packed(value), streamGiven(stream));
    const waiting = Promise.withResolvers();
    replies.set(reference, waiting);
    const timer = setTimeout(() => {
        if (replies.delete(reference)) {
            native.demonitor(reference);
            waiting.reject(hostError(TIMEOUT));
        }
    }, timeout);
    pump();
    try {
        return await waiting.promise;
    } finally {
        timerStop(timer);
    }
};

// ---- services: docs/calls.md

// What a function of a service throws so that its caller gets that error.
class Failure extends Error {
    constructor(code, message = code) {
        if (!ERROR_CODES.has(code)) {
            throw new RangeError(`Failure: ${code} is no code of an error`);
        }
        super(message);
        this.code = code;
    }
}
Object.defineProperty(Failure.prototype, "name", { value: "Failure", writable: true, configurable: true });

const argument = (name, args) => {
    if (args.length > 1) {
        throw new TypeError(`${name}: a function of a service has one argument; put several into an object`);
    }
    return args[0] === undefined ? undefined : native.cborEncode(args[0]);
};

// A service's functions as functions, and each with `cast`, which waits for no answer.
const client = (who, options) => new Proxy({}, {
    get: (_, name) => {
        if (name === "then" || typeof name === "symbol") {
            return undefined; // it is no promise
        }
        const ask = async (...args) => (await call(who, name, argument(name, args), options)).value();
        ask.cast = (...args) => {
            native.send(pidOf(who), name, argument(name, args));
        };
        return ask;
    },
});

const ERROR_CODES = new Map(ERROR_NAMES.map((name, index) => [name, -index]).slice(1));

const serveOne = async (functions, labels, mail) => {
    const name = labels.get(BigInt.asUintN(64, mail.label));
    let label = 0n;
    let body;
    try {
        if (name === undefined) {
            throw hostError(NOT_FOUND);
        }
        const given = mail.value();
        const result = await (given === undefined ? functions[name]() : functions[name](given));
        body = result === undefined ? undefined : native.cborEncode(result);
    } catch (error) {
        const known = ERROR_CODES.get(error?.code);
        if (mail.kind !== "call" || known === undefined) {
            reportError(error);
        }
        label = BigInt(known ?? -3);
        body = error instanceof Failure ? error.message : undefined;
    }
    if (mail.kind === "call") {
        native.reply(mail.sender, label, body, undefined, mail.reference);
    }
};

const serve = async (functions) => {
    const labels = new Map(Object.keys(functions).map((name) => [native.label(name), name]));
    for (;;) {
        const mail = await receive();
        if (mail === null || mail.kind === "stop") {
            return;
        }
        if (mail.kind === "call" || mail.kind === "send") {
            await serveOne(functions, labels, mail);
        }
    }
};

// ---- WebSockets ----

const TEXT = 1n;

class ServerWebSocket {
    constructor() {
        this.request = new Request(INCOMING);
        this.data = undefined;
    }

    send(data) {
        const result = native.wsSend(typeof data === "string" ? data.toWellFormed() : bytesOf(data) ?? String(data));
        if (result < 0 && result !== CLOSED) {
            throw hostError(result);
        }
        return result >= 0;
    }

    close(code = 1000, reason = "") {
        const result = native.wsClose(code, reason);
        if (result < 0 && result !== CLOSED) {
            throw hostError(result);
        }
    }
}

const converse = async (handler) => {
    const socket = new ServerWebSocket();
    await handler.open?.(socket);
    for (;;) {
        const mail = await receive();
        if (mail === null || mail.kind === "stop") {
            return;
        }
        if (mail.kind === "close") {
            await handler.close?.(socket, Number(mail.label), mail.text());
            return;
        }
        if (mail.kind === "frame") {
            await handler.message?.(socket, mail.label === TEXT ? mail.text() : mail.bytes());
        } else {
            await handler.mail?.(socket, mail);
        }
    }
};

const SPAWN_LINK = 1;
const SPAWN_MONITOR = 2;

const spawn = (component, input, options = {}) => {
    const flags = (options.link ? SPAWN_LINK : 0) | (options.monitor ? SPAWN_MONITOR : 0);
    const [pid, reference] = native.spawn(component, packed(input), { ...options, flags });
    return { pid, reference };
};

const STRATEGIES = ["one-for-one", "one-for-all", "rest-for-one"];
const RESTARTS = ["permanent", "transient", "temporary"];

const chosen = (list, name, what) => {
    const at = name === undefined ? 0 : list.indexOf(name);
    if (at < 0) {
        throw new RangeError(`supervise: ${name} is no ${what}; there are ${list.join(", ")}`);
    }
    return at;
};

// Start a supervisor of the platform, linked to this process, and its children in order.
const supervise = (children, options = {}) => native.supervise(
    { maxRestarts: 3, windowMs: 5000, ...options, strategy: chosen(STRATEGIES, options.strategy, "strategy") },
    children.map((one) => ({ ...one, input: packed(one.input), restart: chosen(RESTARTS, one.restart, "restart") })));

// What is published to a group, as one gets it: `for await (const mail of subscribe("room"))`.
const subscribe = (group) => {
    native.join(group); // now, so that nothing is missed between here and the first turn
    return (async function* () {
        try {
            for (;;) {
                const mail = await receive();
                if (mail === null || mail.kind === "stop") {
                    return;
                }
                if (mail.kind === "send") {
                    yield mail;
                }
            }
        } finally {
            native.leave(group);
        }
    })();
};

// ---- server-sent events

const eventField = (name, value) => {
    const text = String(value);
    if (/[\r\n\0]/.test(text)) {
        throw new TypeError(`events: ${name} has a line break or a zero in it`);
    }
    return `${name}: ${text}\n`;
};

const eventText = (one) => {
    const { event, id, retry, data } = one !== null && typeof one === "object" ? one : { data: one };
    let text = "";
    text += event === undefined ? "" : eventField("event", event);
    text += id === undefined ? "" : eventField("id", id);
    text += retry === undefined ? "" : eventField("retry", Math.trunc(Number(retry)));
    if (data !== undefined) {
        for (const line of (typeof data === "string" ? data : JSON.stringify(data)).split(/\r\n|\r|\n/)) {
            text += `data: ${line}\n`;
        }
    }
    return `${text}\n`;
};

// A Response of the events that something iterable, or a generator function, gives.
const events = (source, init = {}) => {
    const list = typeof source === "function" ? source() : source;
    const headers = new Headers(init.headers);
    headers.set("content-type", "text/event-stream");
    return new Response(ReadableStream.from((async function* () {
        for await (const one of list) {
            yield encodeText(eventText(one));
        }
    })()), { ...init, headers });
};

const mote = {
    service, client, receive, call, spawn, supervise, subscribe, events, Failure,
    cbor: { encode: (value) => native.cborEncode(value), decode: (bytes) => native.cborDecode(bytesOf(bytes) ?? bytes) },
    children: (pid) => native.children(pid),
    param: (name) => {
        const value = native.requestParam(name);
        return value === null ? null : native.decode(Uint8Array.from(value, (unit) => unit.charCodeAt(0)), false);
    },
    remoteAddress: () => native.requestGet(5),
    requestId: () => native.requestGet(6),
    env,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    send: (who, name, value, { stream } = {}) => native.send(pidOf(who), name, packed(value), streamGiven(stream)),
    reply: (mail, value, { stream } = {}) => native.reply(mail.sender, 0, packed(value), streamGiven(stream), mail.reference),
    replyError: (mail, code) => native.reply(mail.sender, BigInt(ERROR_CODES.get(code) ?? -3), undefined, undefined,
        mail.reference),
    sendAfter: (who, name, value, ms) => native.sendAfter(pidOf(who), name, packed(value), undefined, ms),
    cancel: (reference) => native.cancel(reference) === 1,
    self: () => native.self(),
    parent: () => native.parent(),
    ready: () => native.ready(),
    label: (name) => native.label(name),
    setLabel: (text) => native.setLabel(text),
    whereis: (name) => native.whereis(name),
    register: (name) => native.register(name),
    unregister: (name) => native.unregister(name),
    tag: (name) => native.tag(name),
    untag: (name) => native.untag(name),
    tagged: (name) => native.tagged(name),
    join: (group) => native.join(group),
    leave: (group) => native.leave(group),
    members: (group) => native.members(group),
    publish: (group, name, value) => native.publish(group, name, packed(value)),
    list: () => native.list(),
    link: (pid) => native.link(pid),
    unlink: (pid) => native.unlink(pid),
    monitor: (pid) => native.monitor(pid),
    demonitor: (reference) => native.demonitor(reference) === 0,
    trapExits: (on = true) => native.trapExits(on) === 1,
    exit: (reason = "normal") => native.exit(reason),
    exitSignal: (pid, reason) => native.exitSignal(pid, reason),
    kill: (pid) => native.kill(pid),
};
