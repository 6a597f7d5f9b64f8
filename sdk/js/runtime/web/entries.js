// What the app exports, and how one of it is run.

let finished = false;
let entries = [];
let background = 0; // promises given to waitUntil() that have not settled
let answered = false;

const reportError = (error) => logLines(LEVEL.error, errorText(error));

const failed = (error) => {
    reportError(error);
    let reason = "error";
    try {
        reason = error instanceof Error ? `${error.name}: ${error.message}` : `uncaught ${inspect(error, 1)}`;
    } catch {
        // its own fault
    }
    native.exit(reason === "normal" || reason === "shutdown" ? "error" : reason.replaceAll("\n", " "));
};

// A rejection that nobody handles until the jobs are done is logged; the process goes on.
const unhandled = new Map();
const rejected = (promise, reason, handled) => {
    if (handled) {
        unhandled.delete(promise);
    } else {
        unhandled.set(promise, reason);
    }
};

const context = {
    waitUntil(promise) {
        background++;
        Promise.resolve(promise).catch(reportError).then(() => {
            background--;
            finish();
        });
    },
    passThroughOnException() {},
};

const finish = () => {
    if (answered && background === 0) {
        finished = true;
    }
};

const done = () => {
    answered = true;
    finish();
};

const env = new Proxy({}, {
    get: (_, name) => (typeof name === "string" ? native.env(name) ?? undefined : undefined),
    has: (_, name) => typeof name === "string" && native.env(name) !== null,
});

// ---- answers ----

const eventsAnswer = async (list, stream) => {
    const begun = native.sseBegin(headersBytes(list.filter(([name]) => name !== "content-type")));
    if (begun === CLOSED) {
        return;
    }
    if (begun < 0) {
        throw hostError(begun);
    }
    let left = "";
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    for (;;) {
        const { value, done: ended } = await reader.read();
        if (ended) {
            break;
        }
        left += decoder.decode(value, { stream: true });
        const at = left.lastIndexOf("\n\n");
        if (at >= 0) {
            if (native.sseWrite(left.slice(0, at + 2)) === CLOSED) {
                await reader.cancel(new DOMException("The client has left", "AbortError"));
                return;
            }
            left = left.slice(at + 2);
        }
    }
};

const streamAnswer = async (status, list, stream) => {
    const length = Number(list.find(([name]) => name === "content-length")?.[1] ?? -1);
    const begun = native.respondBegin(status, headersBytes(list), Number.isSafeInteger(length) ? length : -1);
    if (begun === CLOSED) {
        await stream.cancel(new DOMException("The client has left", "AbortError"));
        return;
    }
    if (begun < 0) {
        throw hostError(begun);
    }
    const reader = stream.getReader();
    for (;;) {
        const { value, done: ended } = await reader.read();
        if (ended) {
            return;
        }
        const bytes = bytesOf(value);
        if (bytes === null) {
            throw new TypeError("Received non-Uint8Array chunk");
        }
        const written = native.respondWrite(bytes);
        if (written === CLOSED) {
            await reader.cancel(new DOMException("The client has left", "AbortError"));
            return;
        }
        if (written < 0) {
            throw hostError(written);
        }
    }
};

// True: it is done with. Otherwise done() or failed() follows.
const answer = (response) => {
    if (!(response instanceof Response)) {
        throw new TypeError("the handler returned no Response");
    }
    const { status, list, body } = answerOf(response);
    if (status === 0) {
        throw new TypeError("the handler returned Response.error()");
    }
    if (bodyUsed(body)) {
        throw new TypeError("the body of the Response has been read already");
    }
    if (body.stream === null) {
        const taken = native.respond(status, headersBytes(list), body.source);
        if (taken < 0 && taken !== CLOSED) {
            throw hostError(taken);
        }
        done();
        return;
    }
    const isEvents = status === 200 && list.some(([name, value]) =>
        name === "content-type" && value.startsWith("text/event-stream"));
    (isEvents ? eventsAnswer(list, body.stream) : streamAnswer(status, list, body.stream)).then(done, failed);
};

const handle = (self, run) => {
    const response = run.call(self, new Request(INCOMING), env, context);
    if (response instanceof Response) {
        answer(response);
    } else {
        Promise.resolve(response).then(answer).catch(failed);
    }
};

// ---- the kinds of entries ----

const isService = new WeakSet();
const service = (functions) => {
    for (const name of Object.keys(functions)) {
        if (typeof functions[name] !== "function") {
            throw new TypeError(`service: ${name} is no function`);
        }
    }
    isService.add(functions);
    return functions;
};

const runFunction = (self, run) => {
    if (native.requestGet(METHOD) !== null) {
        handle(self, run);
    } else {
        Promise.resolve(run.call(self, new Input(native.input()), env, context)).then(done).catch(failed);
    }
};

const entryOf = (name, self, value) => {
    if (typeof value === "function") {
        return { name, run: () => runFunction(self, value) };
    }
    if (value !== null && typeof value === "object") {
        if (isService.has(value)) {
            return { name, run: () => serve(value).then(done).catch(failed) };
        }
        if (typeof value.message === "function" || typeof value.open === "function") {
            return { name, run: () => converse(value).then(done).catch(failed) };
        }
    }
    return null;
};

const ENTRIES_MAX = 100;
const TAKEN = new Set(["memory", "_start", "_initialize"]); // by WebAssembly and WASI

// Of a module's exports, the names by which the manifest can say them.
const adopt = (space) => {
    const found = new Map();
    const add = (name, self, value) => {
        const entry = entryOf(name, self, value);
        if (entry === null) {
            return;
        }
        if (TAKEN.has(name) || !/^[^\s#]+$/.test(name)) {
            throw new TypeError(`'${name}' cannot be the name of an entry`);
        }
        found.set(name, entry);
    };
    for (const name of Object.keys(space)) {
        if (name !== "default") {
            add(name, undefined, space[name]);
        }
    }
    const standard = space.default;
    if (typeof standard === "function") {
        add("fetch", undefined, standard);
    } else if (standard !== null && typeof standard === "object") {
        for (const name of Object.keys(standard)) {
            if (!found.has(name)) {
                add(name, standard, standard[name]);
            }
        }
    }
    entries = [...found.values()];
    if (entries.length === 0) {
        throw new TypeError("nothing is exported that could be run: export default { fetch(request) { ... } }");
    }
    if (entries.length > ENTRIES_MAX) {
        throw new RangeError(`${entries.length} functions are exported, at most ${ENTRIES_MAX} can be`);
    }
    scriptLines = null;
    mapTexts = [];
    return entries.map((one) => one.name).join("\n");
};

const begin = (number) => {
    entries[number].run();
    return finished && unhandled.size === 0;
};

// After all jobs. True: this process is done.
const turn = () => {
    if (unhandled.size > 0) {
        for (const reason of unhandled.values()) {
            logLines(LEVEL.error, `Unhandled rejection: ${errorText(reason)}`);
        }
        unhandled.clear();
    }
    if (finished) {
        return true;
    }
    if (timersRun() || loopWait()) {
        return false;
    }
    if (answered) {
        return true; // what was left to waitUntil() can never happen
    }
    throw new Error("the handler waits for something that can never happen");
};

const MAP = "\n//# sourceMappingURL=data:application/json;base64,";

const prepare = (name, script) => {
    scriptName = name;
    scriptLines = script.split("\n");
    const at = script.lastIndexOf(MAP);
    if (at >= 0) {
        const map = atob(script.slice(at + MAP.length).trim());
        mapLoad(native.decode(Uint8Array.from(map, (unit) => unit.charCodeAt(0)), false));
    }
};
