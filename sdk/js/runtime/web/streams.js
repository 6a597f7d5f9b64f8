// ReadableStream, WritableStream and TransformStream, as the Streams Standard has them; byte streams are read by default
// readers only.

const S = Symbol("state");

const deferred = () => {
    const made = Promise.withResolvers();
    made.promise.catch(() => {});
    return made;
};

class CountQueuingStrategy {
    #high;

    constructor(init) {
        this.#high = Number(init.highWaterMark);
    }

    get highWaterMark() {
        return this.#high;
    }

    get size() {
        return () => 1;
    }
}
tagged(CountQueuingStrategy, "CountQueuingStrategy", "highWaterMark", "size");

class ByteLengthQueuingStrategy {
    #high;

    constructor(init) {
        this.#high = Number(init.highWaterMark);
    }

    get highWaterMark() {
        return this.#high;
    }

    get size() {
        return (chunk) => chunk.byteLength;
    }
}
tagged(ByteLengthQueuingStrategy, "ByteLengthQueuingStrategy", "highWaterMark", "size");

const highOf = (strategy, otherwise) => {
    if (strategy?.highWaterMark === undefined) {
        return otherwise;
    }
    const high = Number(strategy.highWaterMark);
    if (Number.isNaN(high) || high < 0) {
        throw new RangeError("Invalid highWaterMark");
    }
    return high;
};

const sizeOf = (strategy) => {
    const size = strategy?.size;
    if (size !== undefined && typeof size !== "function") {
        throw new TypeError("A queuing strategy's size must be a function");
    }
    return size === undefined ? () => 1 : (chunk) => size(chunk);
};

const method = (from, name) => {
    const found = from[name];
    if (found !== undefined && typeof found !== "function") {
        throw new TypeError(`${name} must be a function`);
    }
    return found;
};

// ---- readable ----

const readableClose = (stream) => {
    const state = stream[S];
    state.state = "closed";
    const reader = state.reader;
    if (reader !== null) {
        reader[S].closed.resolve(undefined);
        for (const one of reader[S].requests.splice(0)) {
            one.resolve({ value: undefined, done: true });
        }
    }
};

const readableError = (stream, error) => {
    const state = stream[S];
    if (state.state !== "readable") {
        return;
    }
    state.state = "errored";
    state.error = error;
    state.control.queue = [];
    state.control.total = 0;
    const reader = state.reader;
    if (reader !== null) {
        reader[S].closed.reject(error);
        for (const one of reader[S].requests.splice(0)) {
            one.reject(error);
        }
    }
};

const readablePull = (stream) => {
    const state = stream[S];
    const control = state.control;
    const waiting = state.reader !== null && state.reader[S].requests.length > 0;
    const wants = state.state === "readable" && !control.closing && control.started &&
        (waiting || control.high - control.total > 0);
    if (!wants) {
        return;
    }
    if (control.pulling) {
        control.again = true;
        return;
    }
    control.pulling = true;
    let result;
    try {
        result = control.pull === undefined ? undefined : control.pull.call(control.source, control.handle);
    } catch (error) {
        result = Promise.reject(error);
    }
    Promise.resolve(result).then(() => {
        control.pulling = false;
        if (control.again) {
            control.again = false;
            readablePull(stream);
        }
    }, (error) => readableError(stream, error));
};

const readableCancel = async (stream, reason) => {
    const state = stream[S];
    state.disturbed = true;
    if (state.state === "closed") {
        return undefined;
    }
    if (state.state === "errored") {
        throw state.error;
    }
    readableClose(stream);
    state.control.queue = [];
    state.control.total = 0;
    await state.control.cancel?.call(state.control.source, reason);
    return undefined;
};

class ReadableStreamDefaultController {
    constructor(token, stream) {
        if (token !== MADE_HERE) {
            throw new TypeError("Illegal constructor");
        }
        this[S] = stream;
    }

    get desiredSize() {
        const { state, control } = this[S][S];
        return state === "errored" ? null : state === "closed" ? 0 : control.high - control.total;
    }

    close() {
        const { state, control } = this[S][S];
        if (state !== "readable" || control.closing) {
            throw new TypeError("Invalid state: Controller is already closed");
        }
        control.closing = true;
        if (control.queue.length === 0) {
            readableClose(this[S]);
        }
    }

    enqueue(chunk) {
        const state = this[S][S];
        const control = state.control;
        if (state.state !== "readable" || control.closing) {
            throw new TypeError("Invalid state: Controller is already closed");
        }
        if (control.bytes && (bytesOf(chunk) === null || chunk instanceof ArrayBuffer || chunk.byteLength === 0)) {
            throw new TypeError("A byte stream takes views with at least one byte");
        }
        const requests = state.reader === null ? [] : state.reader[S].requests;
        if (requests.length > 0) {
            requests.shift().resolve({ value: chunk, done: false });
        } else {
            let size;
            try {
                size = Number(control.size(chunk));
                if (Number.isNaN(size) || size < 0 || size === Infinity) {
                    throw new RangeError("The size of a chunk must be a finite number, not below 0");
                }
            } catch (error) {
                readableError(this[S], error);
                throw error;
            }
            control.queue.push([chunk, size]);
            control.total += size;
        }
        readablePull(this[S]);
    }

    error(error = undefined) {
        readableError(this[S], error);
    }
}
tagged(ReadableStreamDefaultController, "ReadableStreamDefaultController", "desiredSize", "close", "enqueue", "error");

class ReadableByteStreamController extends ReadableStreamDefaultController {
    get byobRequest() {
        return null;
    }
}
tagged(ReadableByteStreamController, "ReadableByteStreamController", "byobRequest");

class ReadableStreamDefaultReader {
    constructor(stream) {
        if (!(stream instanceof ReadableStream)) {
            throw new TypeError("ReadableStreamDefaultReader: a ReadableStream is needed");
        }
        const state = stream[S];
        if (state.reader !== null) {
            throw new TypeError("Invalid state: ReadableStream is locked");
        }
        state.reader = this;
        const closed = deferred();
        this[S] = { stream, closed, requests: [] };
        if (state.state === "closed") {
            closed.resolve(undefined);
        } else if (state.state === "errored") {
            closed.reject(state.error);
        }
    }

    get closed() {
        return this[S].closed.promise;
    }

    read() {
        const stream = this[S].stream;
        if (stream === null) {
            return Promise.reject(new TypeError("Invalid state: The reader is not attached to a stream"));
        }
        const state = stream[S];
        state.disturbed = true;
        if (state.state === "errored") {
            return Promise.reject(state.error);
        }
        const control = state.control;
        if (control.queue.length > 0) {
            const [value, size] = control.queue.shift();
            control.total = control.queue.length === 0 ? 0 : control.total - size;
            if (control.closing && control.queue.length === 0) {
                readableClose(stream);
            } else {
                readablePull(stream);
            }
            return Promise.resolve({ value, done: false });
        }
        if (state.state === "closed") {
            return Promise.resolve({ value: undefined, done: true });
        }
        const request = Promise.withResolvers();
        this[S].requests.push(request);
        readablePull(stream);
        return request.promise;
    }

    cancel(reason = undefined) {
        const stream = this[S].stream;
        return stream === null
            ? Promise.reject(new TypeError("Invalid state: The reader is not attached to a stream"))
            : readableCancel(stream, reason);
    }

    releaseLock() {
        const own = this[S];
        if (own.stream === null) {
            return;
        }
        const released = new TypeError("Invalid state: The reader was released");
        if (own.stream[S].state !== "readable") {
            own.closed = deferred();
        }
        own.closed.reject(released);
        for (const one of own.requests.splice(0)) {
            one.reject(released);
        }
        own.stream[S].reader = null;
        own.stream = null;
    }
}
tagged(ReadableStreamDefaultReader, "ReadableStreamDefaultReader", "closed", "read", "cancel", "releaseLock");

const AsyncIteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf(async function* none() {}).prototype);

class ReadableStream {
    constructor(source = {}, strategy = {}) {
        if (source === null || typeof source !== "object") {
            throw new TypeError("ReadableStream: the source must be an object");
        }
        const type = source.type;
        if (type !== undefined && String(type) !== "bytes") {
            throw new TypeError(`ReadableStream: the type ${type} is not known`);
        }
        const bytes = type !== undefined;
        if (bytes && strategy?.size !== undefined) {
            throw new RangeError("ReadableStream: a byte stream has no size function");
        }
        const start = method(source, "start");
        const control = {
            source,
            bytes,
            pull: method(source, "pull"),
            cancel: method(source, "cancel"),
            high: highOf(strategy, bytes ? 0 : 1),
            size: bytes ? (chunk) => chunk.byteLength : sizeOf(strategy),
            queue: [],
            total: 0,
            started: false,
            pulling: false,
            again: false,
            closing: false,
        };
        this[S] = { state: "readable", error: undefined, reader: null, disturbed: false, control };
        Object.defineProperty(this, S, { enumerable: false });
        control.handle = bytes ? new ReadableByteStreamController(MADE_HERE, this)
            : new ReadableStreamDefaultController(MADE_HERE, this);
        const begun = start === undefined ? undefined : start.call(source, control.handle);
        Promise.resolve(begun).then(() => {
            control.started = true;
            readablePull(this);
        }, (error) => readableError(this, error));
    }

    get locked() {
        return this[S].reader !== null;
    }

    static from(iterable) {
        const walk = iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator];
        if (typeof walk !== "function") {
            throw new TypeError("ReadableStream.from: the argument is not iterable");
        }
        const iterator = walk.call(iterable);
        return new ReadableStream({
            async pull(controller) {
                const next = await iterator.next();
                if (next === null || typeof next !== "object") {
                    throw new TypeError("ReadableStream.from: the iterator gave no object");
                }
                if (next.done) {
                    controller.close();
                } else {
                    controller.enqueue(await next.value);
                }
            },
            async cancel(reason) {
                await iterator.return?.(reason);
            },
        }, { highWaterMark: 0 });
    }

    cancel(reason = undefined) {
        return this.locked ? Promise.reject(new TypeError("Invalid state: ReadableStream is locked"))
            : readableCancel(this, reason);
    }

    getReader(options = {}) {
        if (options?.mode !== undefined) {
            throw new TypeError(`ReadableStream.getReader: the mode ${options.mode} is not supported`);
        }
        return new ReadableStreamDefaultReader(this);
    }

    tee() {
        const reader = this.getReader();
        const controllers = [];
        const canceled = [null, null];
        const all = Promise.withResolvers();
        let reading = false;
        let again = false;
        const pull = async () => {
            if (reading) {
                again = true;
                return;
            }
            reading = true;
            do {
                again = false;
                const { value, done } = await reader.read();
                for (const i of [0, 1]) {
                    if (canceled[i] === null) {
                        if (done) {
                            controllers[i].close();
                        } else {
                            controllers[i].enqueue(value);
                        }
                    }
                }
                if (done) {
                    all.resolve(undefined);
                }
            } while (again);
            reading = false;
        };
        const branch = (index) => new ReadableStream({
            start(controller) {
                controllers[index] = controller;
            },
            pull,
            cancel(reason) {
                canceled[index] = [reason];
                if (canceled[1 - index] !== null) {
                    reader.cancel([canceled[0][0], canceled[1][0]]).then(all.resolve, all.reject);
                }
                return all.promise;
            },
        });
        const branches = [branch(0), branch(1)];
        reader.closed.catch((error) => {
            controllers.forEach((one) => one.error(error));
            all.resolve(undefined);
        });
        return branches;
    }

    async pipeTo(target, options = {}) {
        if (!(target instanceof WritableStream)) {
            throw new TypeError("ReadableStream.pipeTo: the target is no WritableStream");
        }
        if (this.locked || target.locked) {
            throw new TypeError("ReadableStream.pipeTo: a stream is locked");
        }
        const { preventClose = false, preventAbort = false, preventCancel = false, signal } = options ?? {};
        const reader = this.getReader();
        const writer = target.getWriter();
        this[S].disturbed = true;
        const aborted = deferred();
        signal?.addEventListener("abort", () => aborted.reject(signal.reason));
        if (signal?.aborted) {
            aborted.reject(signal.reason);
        }
        const broken = writer.closed.then(() => {
            throw new TypeError("ReadableStream.pipeTo: the target is closed");
        });
        broken.catch(() => {});
        try {
            for (;;) {
                await Promise.race([aborted.promise, broken, writer.ready]);
                let next;
                try {
                    next = await Promise.race([aborted.promise, broken, reader.read()]);
                } catch (error) {
                    if (this[S].state === "errored" && !preventAbort) {
                        await writer.abort(error).catch(() => {});
                    }
                    throw error;
                }
                if (next.done) {
                    break;
                }
                writer.write(next.value).catch(() => {});
            }
            if (!preventClose) {
                await writer.close();
            }
        } catch (error) {
            const wasAborted = signal?.aborted ?? false;
            if (wasAborted && !preventAbort) {
                await writer.abort(error).catch(() => {});
            }
            if (this[S].state === "readable" && !preventCancel) {
                await reader.cancel(error).catch(() => {});
            }
            throw error;
        } finally {
            reader.releaseLock();
            writer.releaseLock();
        }
    }

    pipeThrough(pair, options = {}) {
        if (!(pair?.readable instanceof ReadableStream) || !(pair?.writable instanceof WritableStream)) {
            throw new TypeError("ReadableStream.pipeThrough: a pair of streams is needed");
        }
        this.pipeTo(pair.writable, options).catch(() => {});
        return pair.readable;
    }

    values(options = {}) {
        const reader = this.getReader();
        const keep = Boolean(options?.preventCancel);
        let finished = false;
        return Object.create(AsyncIteratorPrototype, {
            next: {
                value: async () => {
                    if (finished) {
                        return { value: undefined, done: true };
                    }
                    try {
                        const next = await reader.read();
                        if (next.done) {
                            finished = true;
                            reader.releaseLock();
                        }
                        return next;
                    } catch (error) {
                        finished = true;
                        reader.releaseLock();
                        throw error;
                    }
                },
            },
            return: {
                value: async (value) => {
                    if (!finished) {
                        finished = true;
                        const canceled = keep ? undefined : reader.cancel(value);
                        reader.releaseLock();
                        await canceled;
                    }
                    return { value, done: true };
                },
            },
        });
    }
}
Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator,
    { value: ReadableStream.prototype.values, writable: true, configurable: true });
tagged(ReadableStream, "ReadableStream", "locked", "cancel", "getReader", "tee", "pipeTo", "pipeThrough", "values");

// ---- writable ----

// Errors first become known ("erroring"), and are final when what is being written has ended.
const writableFinish = (stream) => {
    const state = stream[S];
    state.state = "errored";
    for (const one of state.queue.splice(0)) {
        one.done.reject(state.error);
    }
    state.total = 0;
    const abort = state.abort;
    state.abort = null;
    const settle = () => {
        state.closing?.reject(state.error);
        state.writer?.[S].closed.reject(state.error);
    };
    if (abort === null) {
        settle();
        return;
    }
    if (abort.erroring) {
        abort.done.reject(state.error);
        settle();
        return;
    }
    let result;
    try {
        result = state.sink.abort?.(abort.reason);
    } catch (error) {
        result = Promise.reject(error);
    }
    Promise.resolve(result).then(() => abort.done.resolve(undefined), (error) => abort.done.reject(error)).then(settle);
};

const writableError = (stream, error) => {
    const state = stream[S];
    if (state.state !== "writable") {
        return;
    }
    state.state = "erroring";
    state.error = error;
    if (state.writer !== null) {
        state.writer[S].ready.reject(error);
        if (state.full === false) {
            state.writer[S].ready = deferred();
            state.writer[S].ready.reject(error);
        }
    }
    if (!state.busy && state.started) {
        writableFinish(stream);
    }
};

const writableReady = (stream) => {
    const state = stream[S];
    if (state.state !== "writable" || state.closing !== null) {
        return;
    }
    const full = state.high - state.total <= 0;
    if (full !== state.full) {
        state.full = full;
        if (state.writer !== null) {
            if (full) {
                state.writer[S].ready = deferred();
            } else {
                state.writer[S].ready.resolve(undefined);
            }
        }
    }
};

const writableRun = (stream) => {
    const state = stream[S];
    if (!state.started || state.busy) {
        return;
    }
    if (state.state === "erroring") {
        writableFinish(stream);
        return;
    }
    if (state.queue.length === 0 || state.state !== "writable") {
        return;
    }
    const one = state.queue[0];
    state.busy = true;
    let result;
    try {
        result = one.last ? state.sink.close?.() : state.sink.write?.(one.chunk, state.handle);
    } catch (error) {
        result = Promise.reject(error);
    }
    Promise.resolve(result).then(() => {
        state.queue.shift();
        state.busy = false;
        state.total -= one.size;
        one.done.resolve(undefined);
        if (one.last) {
            state.state = "closed";
            state.abort?.done.resolve(undefined);
            state.abort = null;
            state.writer?.[S].closed.resolve(undefined);
            return;
        }
        writableReady(stream);
        writableRun(stream);
    }, (error) => {
        state.queue.shift();
        state.busy = false;
        one.done.reject(error);
        if (state.state === "writable") {
            writableError(stream, error);
        } else if (state.state === "erroring") {
            writableFinish(stream);
        }
    });
};

const writableAbort = (stream, reason) => {
    const state = stream[S];
    if (state.state === "closed" || state.state === "errored") {
        return Promise.resolve(undefined);
    }
    signalAbort(state.handle.signal, reason);
    if (state.abort !== null) {
        return state.abort.done.promise;
    }
    const erroring = state.state === "erroring";
    state.abort = { done: deferred(), reason, erroring };
    const promise = state.abort.done.promise;
    if (!erroring) {
        writableError(stream, reason);
    }
    return promise;
};

const writableClose = (stream) => {
    const state = stream[S];
    if (state.state === "closed" || state.state === "errored" || state.closing !== null) {
        return Promise.reject(new TypeError("Invalid state: WritableStream is closed"));
    }
    state.closing = deferred();
    if (state.full && state.state === "writable") {
        state.writer?.[S].ready.resolve(undefined);
    }
    state.queue.push({ last: true, size: 0, done: state.closing });
    writableRun(stream);
    return state.closing.promise;
};

class WritableStreamDefaultController {
    #abort = new AbortController();

    constructor(token, stream) {
        if (token !== MADE_HERE) {
            throw new TypeError("Illegal constructor");
        }
        this[S] = stream;
    }

    get signal() {
        return this.#abort.signal;
    }

    error(error = undefined) {
        writableError(this[S], error);
    }
}
tagged(WritableStreamDefaultController, "WritableStreamDefaultController", "signal", "error");

class WritableStreamDefaultWriter {
    constructor(stream) {
        if (!(stream instanceof WritableStream)) {
            throw new TypeError("WritableStreamDefaultWriter: a WritableStream is needed");
        }
        const state = stream[S];
        if (state.writer !== null) {
            throw new TypeError("Invalid state: WritableStream is locked");
        }
        state.writer = this;
        this[S] = { stream, ready: deferred(), closed: deferred() };
        if (state.state === "writable" && !state.full) {
            this[S].ready.resolve(undefined);
        } else if (state.state === "closed") {
            this[S].ready.resolve(undefined);
            this[S].closed.resolve(undefined);
        } else if (state.state !== "writable") {
            this[S].ready.reject(state.error);
            if (state.state === "errored") {
                this[S].closed.reject(state.error);
            }
        }
    }

    get closed() {
        return this[S].closed.promise;
    }

    get ready() {
        return this[S].ready.promise;
    }

    get desiredSize() {
        const state = this.#state();
        return state.state === "errored" || state.state === "erroring" ? null
            : state.state === "closed" ? 0 : state.high - state.total;
    }

    #state() {
        if (this[S].stream === null) {
            throw new TypeError("Invalid state: The writer is not attached to a stream");
        }
        return this[S].stream[S];
    }

    async write(chunk = undefined) {
        const state = this.#state();
        const stream = this[S].stream;
        let size = 1;
        if (state.state === "writable") {
            try {
                size = Number(state.size(chunk));
            } catch (error) {
                writableError(stream, error);
                throw error;
            }
        }
        if (state.state === "errored" || state.state === "erroring") {
            throw state.error;
        }
        if (state.state === "closed" || state.closing !== null) {
            throw new TypeError("Invalid state: WritableStream is closed");
        }
        const done = deferred();
        state.queue.push({ chunk, size, done, last: false });
        state.total += size;
        writableReady(stream);
        writableRun(stream);
        return done.promise;
    }

    async close() {
        this.#state();
        return writableClose(this[S].stream);
    }

    async abort(reason = undefined) {
        this.#state();
        return writableAbort(this[S].stream, reason);
    }

    releaseLock() {
        const own = this[S];
        if (own.stream === null) {
            return;
        }
        const released = new TypeError("Invalid state: The writer was released");
        own.ready = deferred();
        own.ready.reject(released);
        if (own.stream[S].state !== "writable") {
            own.closed = deferred();
        }
        own.closed.reject(released);
        own.stream[S].writer = null;
        own.stream = null;
    }
}
tagged(WritableStreamDefaultWriter, "WritableStreamDefaultWriter", "closed", "ready", "desiredSize", "write", "close",
    "abort", "releaseLock");

class WritableStream {
    constructor(sink = {}, strategy = {}) {
        if (sink?.type !== undefined) {
            throw new RangeError("WritableStream: no type is known");
        }
        this[S] = {
            state: "writable", error: undefined, writer: null, queue: [], total: 0, started: false, busy: false, full: false,
            closing: null, abort: null, high: highOf(strategy, 1), size: sizeOf(strategy),
            sink: {
                write: method(sink, "write")?.bind(sink),
                close: method(sink, "close")?.bind(sink),
                abort: method(sink, "abort")?.bind(sink),
            },
        };
        Object.defineProperty(this, S, { enumerable: false });
        const state = this[S];
        state.handle = new WritableStreamDefaultController(MADE_HERE, this);
        writableReady(this);
        const begun = method(sink, "start")?.call(sink, state.handle);
        Promise.resolve(begun).then(() => {
            state.started = true;
            writableRun(this);
        }, (error) => {
            state.started = true;
            writableError(this, error);
        });
    }

    get locked() {
        return this[S].writer !== null;
    }

    async abort(reason = undefined) {
        if (this.locked) {
            throw new TypeError("Invalid state: WritableStream is locked");
        }
        return writableAbort(this, reason);
    }

    async close() {
        if (this.locked) {
            throw new TypeError("Invalid state: WritableStream is locked");
        }
        return writableClose(this);
    }

    getWriter() {
        return new WritableStreamDefaultWriter(this);
    }
}
tagged(WritableStream, "WritableStream", "locked", "abort", "close", "getWriter");

// ---- transform ----

class TransformStreamDefaultController {
    constructor(token, parts) {
        if (token !== MADE_HERE) {
            throw new TypeError("Illegal constructor");
        }
        this[S] = parts;
    }

    get desiredSize() {
        return this[S].readable.desiredSize;
    }

    enqueue(chunk = undefined) {
        this[S].readable.enqueue(chunk);
    }

    error(error = undefined) {
        this[S].readable.error(error);
        this[S].fail(error);
    }

    terminate() {
        this[S].readable.close();
        this[S].fail(new TypeError("The transform stream was terminated"));
    }
}
tagged(TransformStreamDefaultController, "TransformStreamDefaultController", "desiredSize", "enqueue", "error", "terminate");

class TransformStream {
    #readable;
    #writable;

    constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
        const parts = { readable: null, fail: null };
        const handle = new TransformStreamDefaultController(MADE_HERE, parts);
        let room = deferred(); // for the reader to want more
        let stopped = false;
        const begun = Promise.withResolvers();
        const transform = method(transformer, "transform");
        const flush = method(transformer, "flush");
        const cancel = method(transformer, "cancel");
        this.#readable = new ReadableStream({
            start(controller) {
                parts.readable = controller;
                return begun.promise;
            },
            pull() {
                room.resolve(undefined);
            },
            async cancel(reason) {
                stopped = true;
                room.resolve(undefined);
                await cancel?.call(transformer, reason);
                parts.fail(reason);
            },
        }, { highWaterMark: highOf(readableStrategy, 0), size: readableStrategy?.size });
        const readableState = this.#readable[S];
        this.#writable = new WritableStream({
            start(controller) {
                parts.fail = (error) => controller.error(error);
                return begun.promise;
            },
            async write(chunk) {
                while (!stopped && readableState.state === "readable" && parts.readable.desiredSize <= 0 &&
                    !(readableState.reader !== null && readableState.reader[S].requests.length > 0)) {
                    room = deferred();
                    await room.promise;
                }
                try {
                    if (transform === undefined) {
                        handle.enqueue(chunk);
                    } else {
                        await transform.call(transformer, chunk, handle);
                    }
                } catch (error) {
                    parts.readable.error(error);
                    throw error;
                }
            },
            async close() {
                try {
                    await flush?.call(transformer, handle);
                } catch (error) {
                    parts.readable.error(error);
                    throw error;
                }
                if (readableState.state === "errored") {
                    throw readableState.error;
                }
                if (readableState.state === "readable" && !readableState.control.closing) {
                    parts.readable.close();
                }
            },
            async abort(reason) {
                await cancel?.call(transformer, reason);
                parts.readable.error(reason);
            },
        }, { highWaterMark: highOf(writableStrategy, 1), size: writableStrategy?.size });
        begun.resolve(method(transformer, "start")?.call(transformer, handle));
    }

    get readable() {
        return this.#readable;
    }

    get writable() {
        return this.#writable;
    }
}
tagged(TransformStream, "TransformStream", "readable", "writable");

class TextEncoderStream {
    #stream = new TransformStream({
        transform: (chunk, controller) => {
            let text = this.#high + String(chunk);
            this.#high = "";
            const last = text.charCodeAt(text.length - 1);
            if (last >= 0xd800 && last <= 0xdbff) {
                this.#high = text.slice(-1);
                text = text.slice(0, -1);
            }
            if (text !== "") {
                controller.enqueue(encodeText(text));
            }
        },
        flush: (controller) => {
            if (this.#high !== "") {
                controller.enqueue(encodeText(this.#high));
            }
        },
    });

    #high = "";

    get encoding() {
        return "utf-8";
    }

    get readable() {
        return this.#stream.readable;
    }

    get writable() {
        return this.#stream.writable;
    }
}
tagged(TextEncoderStream, "TextEncoderStream", "encoding", "readable", "writable");

class TextDecoderStream {
    #decoder;
    #stream;

    constructor(label = "utf-8", options = {}) {
        const decoder = new TextDecoder(label, options);
        this.#decoder = decoder;
        const give = (controller, text) => {
            if (text !== "") {
                controller.enqueue(text);
            }
        };
        this.#stream = new TransformStream({
            transform(chunk, controller) {
                give(controller, decoder.decode(chunk, { stream: true }));
            },
            flush(controller) {
                give(controller, decoder.decode());
            },
        });
    }

    get encoding() {
        return this.#decoder.encoding;
    }

    get fatal() {
        return this.#decoder.fatal;
    }

    get ignoreBOM() {
        return this.#decoder.ignoreBOM;
    }

    get readable() {
        return this.#stream.readable;
    }

    get writable() {
        return this.#stream.writable;
    }
}
tagged(TextDecoderStream, "TextDecoderStream", "encoding", "fatal", "ignoreBOM", "readable", "writable");
