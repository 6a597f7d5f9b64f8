// fetch(): requests to others, over the host's streams.

const FETCH_REASONS = ["no reason", "the address is not granted (allow-network)", "there is no such host",
    "nobody answers there", "no TLS, or a certificate that is not trusted", "its time is over",
    "the server left before the end", "what came is no HTTP", "the head of the answer is too large", "given up",
    "no memory"];
const ABORTED = -12;
const REDIRECTS_MAX = 20;

const fetchError = (text) => new TypeError("fetch failed", { cause: new Error(text) });

const streamPour = async (stream, handle) => {
    const write = async (bytes) => {
        for (let at = 0; at < bytes.length;) {
            const taken = native.streamWrite(handle, bytes, at);
            if (taken === TIMEOUT) {
                await waitFor(WRITABLE, handle);
            } else if (taken < 0) {
                throw hostError(taken);
            } else {
                at += taken;
            }
        }
    };
    if (stream instanceof Uint8Array) {
        await write(stream);
    } else {
        const reader = stream.getReader();
        try {
            for (;;) {
                const { value, done } = await reader.read();
                if (done) {
                    break;
                }
                const bytes = bytesOf(value);
                if (bytes === null) {
                    throw new TypeError("Received non-Uint8Array chunk");
                }
                await write(bytes);
            }
        } catch (error) {
            reader.cancel(error).catch(() => {});
            native.streamAbort(handle, 9);
            throw error;
        }
    }
    native.streamEnd(handle);
};

// The end of a stream of the host as a ReadableStream; `done` is told when nothing more is wanted of it.
const streamOf = (handle, done, failure) => new ReadableStream({
    type: "bytes",
    async pull(controller) {
        for (;;) {
            const chunk = native.streamRead(handle, READ_BYTES);
            if (chunk === null) {
                native.streamClose(handle);
                done();
                controller.close();
                return;
            }
            if (typeof chunk !== "number") {
                controller.enqueue(chunk);
                return;
            }
            if (chunk !== TIMEOUT) {
                const error = failure(chunk);
                native.streamClose(handle);
                done();
                throw error;
            }
            await waitFor(READABLE, handle);
        }
    },
    cancel() {
        native.streamClose(handle);
        done();
    },
}, { highWaterMark: 0 });

const headersParse = (text) => {
    const list = [];
    for (const line of text.split("\n")) {
        const at = line.indexOf(":");
        if (at > 0) {
            list.push([line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()]);
        }
    }
    return list;
};

const fetchHeadOf = async (handle) => {
    for (;;) {
        const status = native.fetchHead(handle);
        if (status >= 0) {
            return status;
        }
        if (status !== TIMEOUT) {
            const reason = native.fetchReason(handle);
            native.fetchClose(handle);
            throw fetchError(FETCH_REASONS[reason > 0 ? reason : 1] ?? "unknown");
        }
        await waitFor(FETCHED, handle);
    }
};

const aborting = (signal, promise, give) => {
    if (!signal) {
        return promise;
    }
    return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => {
            give();
            reject(signal.reason);
        }, { once: true });
        promise.then(resolve, reject);
    });
};

const fetch = async (input, init = undefined) => {
    const out = outgoingOf(new Request(input, init));
    out.signal?.throwIfAborted();
    if (!/^https?:/.test(out.url)) {
        throw fetchError(`unknown scheme: ${out.url}`);
    }
    const body = out.body.stream ?? (out.body.source === null ? null : bodyBytes(out.body.source));
    const length = body === null ? null : body instanceof Uint8Array ? body.length : -1;
    const list = out.list.filter(([name]) => name !== "host");
    const follow = out.redirect === "follow" ? REDIRECTS_MAX : 0;
    const url = out.url.split("#")[0];
    const begun = native.fetchStart(out.method, url, headersBytes(list), follow, length);
    if (typeof begun === "number") {
        throw fetchError(begun === -1 ? FETCH_REASONS[1] : `mote: ${ERROR_NAMES[-begun] ?? "unknown"}`);
    }
    const [handle, bodyHandle, answerHandle] = begun;
    let open = true;
    const close = () => {
        if (open) {
            open = false;
            native.fetchClose(handle);
        }
    };
    if (body !== null && bodyHandle !== 0) {
        // Who answers before it has read everything is no failure.
        streamPour(body, bodyHandle).catch(() => {});
    }
    const status = await aborting(out.signal, fetchHeadOf(handle), close);
    const headers = headersParse(native.fetchHeaders(handle));
    if (out.redirect === "error" && [301, 302, 303, 307, 308].includes(status)) {
        close();
        throw fetchError("unexpected redirect");
    }
    const stream = NULL_BODY.has(status) || out.method === "HEAD" ? null : streamOf(answerHandle, close, (code) =>
        (out.signal?.aborted ? out.signal.reason : new TypeError("terminated", {
            cause: new Error(code === ABORTED ? FETCH_REASONS[native.fetchReason(handle)] : ERROR_NAMES[-code]),
        })));
    if (stream === null) {
        native.streamClose(answerHandle);
        close();
    } else if (out.signal) {
        out.signal.addEventListener("abort", () => {
            readableError(stream, out.signal.reason);
            close();
        }, { once: true });
    }
    return responseMade(status, "", headers, stream, out.url);
};
