// Request and Response. Of a request that came in, everything is asked of the host when it is asked for here.

// A body: {source: string | Uint8Array | null, stream, used}. The stream is made when somebody wants one.
const TEXT_TYPE = "text/plain;charset=UTF-8";

const bodyOf = (value) => {
    if (value === null || value === undefined) {
        return [{ source: null, stream: null, used: false }, null];
    }
    if (typeof value === "string") {
        return [{ source: value, stream: null, used: false }, TEXT_TYPE];
    }
    if (value instanceof ReadableStream) {
        if (value.locked || value[S].disturbed) {
            throw new TypeError("The body is a stream that is locked or was read from");
        }
        return [{ source: null, stream: value, used: false }, null];
    }
    if (value instanceof URLSearchParams) {
        return [{ source: value.toString(), stream: null, used: false }, "application/x-www-form-urlencoded;charset=UTF-8"];
    }
    if (value instanceof Blob) {
        return [{ source: blobBytes(value), stream: null, used: false }, value.type || null];
    }
    if (value instanceof FormData) {
        const [source, type] = multipartWrite(value);
        return [{ source, stream: null, used: false }, type];
    }
    const bytes = bytesOf(value);
    if (bytes !== null) {
        return [{ source: bytes.slice(), stream: null, used: false }, null];
    }
    if (typeof value === "object" && typeof value[Symbol.asyncIterator] === "function") {
        return [{ source: null, stream: ReadableStream.from(value), used: false }, null];
    }
    return [{ source: String(value), stream: null, used: false }, "text/plain;charset=UTF-8"];
};

const bodyBytes = (source) => (typeof source === "string" ? encodeText(source) : source);

const bodyStream = (body) => {
    if (body.stream === null && body.source !== null) {
        const bytes = bodyBytes(body.source);
        body.source = null;
        body.stream = new ReadableStream({
            pull(controller) {
                if (bytes.length > 0) {
                    controller.enqueue(bytes);
                }
                controller.close();
            },
        }, { highWaterMark: 0 });
        if (body.used) {
            body.stream[S].disturbed = true;
        }
    }
    return body.stream;
};

const bodyUsed = (body) => body.used || (body.stream?.[S].disturbed ?? false);

const chunksRead = async (stream) => {
    const reader = stream.getReader();
    const chunks = [];
    let size = 0;
    for (;;) {
        const { value, done } = await reader.read();
        if (done) {
            break;
        }
        if (!(value instanceof Uint8Array)) {
            throw new TypeError("Received non-Uint8Array chunk");
        }
        chunks.push(value);
        size += value.length;
    }
    if (chunks.length === 1) {
        return chunks[0];
    }
    const all = new Uint8Array(size);
    let at = 0;
    for (const chunk of chunks) {
        all.set(chunk, at);
        at += chunk.length;
    }
    return all;
};

// All of it, as what it is: a string, or bytes.
const bodyRead = async (body) => {
    if (bodyUsed(body)) {
        throw new TypeError("Body is unusable: Body has already been read");
    }
    if (body.stream?.locked) {
        throw new TypeError("Body is unusable: the stream is locked");
    }
    body.used = body.source !== null || body.stream !== null;
    return body.stream === null ? body.source ?? "" : chunksRead(body.stream);
};

const withoutMark = (text) => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
const asText = (source) => (typeof source === "string"
    ? withoutMark(source.toWellFormed()) : withoutMark(native.decode(source, false)));

const bodyClone = (body) => {
    if (bodyUsed(body) || body.stream?.locked) {
        throw new TypeError("Body has already been consumed");
    }
    if (body.stream === null) {
        return { source: body.source, stream: null, used: false };
    }
    const [first, second] = body.stream.tee();
    body.stream = first;
    return { source: null, stream: second, used: false };
};

// What Request and Response have in common.
class Message {
    get body() {
        return bodyStream(this._body());
    }

    get bodyUsed() {
        return bodyUsed(this._body());
    }

    async text() {
        return asText(await bodyRead(this._body()));
    }

    async json() {
        return JSON.parse(asText(await bodyRead(this._body())));
    }

    async bytes() {
        const source = await bodyRead(this._body());
        return typeof source === "string" ? encodeText(source) : source.slice();
    }

    async arrayBuffer() {
        return (await this.bytes()).buffer;
    }

    async blob() {
        const type = this.headers.get("content-type") ?? "";
        return new Blob([await bodyRead(this._body())], { type });
    }

    async formData() {
        const type = this.headers.get("content-type") ?? "";
        return formRead(await bodyRead(this._body()), type);
    }
}

const NULL_BODY = new Set([101, 204, 205, 304]);
let answerOf; // a Response: {status, list, body}

class Response extends Message {
    #status;
    #statusText;
    #headers = null;
    #body;
    #kind; // the content type that the body has of itself
    #type = "default";
    #url = "";

    static {
        answerOf = (response) => ({
            status: response.#status, body: response.#body,
            // Headers that nobody has asked for need not be made.
            list: response.#headers === null && response.#kind === TEXT_TYPE ? null : headersList(response.headers),
        });
        Response._made = (status, statusText, list, stream, url) => {
            const response = new Response(null);
            response.#status = status;
            response.#statusText = statusText;
            response.#headers = headersOf(list);
            response.#body = { source: null, stream, used: false };
            response.#url = url;
            response.#type = "basic";
            return response;
        };
    }

    constructor(body = null, init = undefined) {
        super();
        let status = 200;
        if (init !== undefined && init !== null) {
            if (init.status !== undefined) {
                status = Math.trunc(Number(init.status));
                if (!(status >= 200 && status <= 599)) {
                    throw new RangeError(`init["status"] must be in the range of 200 to 599, inclusive.`);
                }
            }
            this.#statusText = init.statusText === undefined ? "" : String(init.statusText);
            if (init.headers !== undefined) {
                this.#headers = new Headers(init.headers);
            }
        } else {
            this.#statusText = "";
        }
        this.#status = status;
        if (body !== null && body !== undefined && NULL_BODY.has(status)) {
            throw new TypeError(`Response constructor: Invalid response status code ${status}`);
        }
        if (typeof body === "string") { // the usual one, without the list
            this.#body = { source: body, stream: null, used: false };
            this.#kind = TEXT_TYPE;
        } else {
            [this.#body, this.#kind] = bodyOf(body);
        }
        if (this.#headers !== null && this.#kind !== null && !this.#headers.has("content-type")) {
            headersList(this.#headers).push(["content-type", this.#kind]);
        }
    }

    _body() {
        return this.#body;
    }

    get status() {
        return this.#status;
    }

    get statusText() {
        return this.#statusText;
    }

    get ok() {
        return this.#status >= 200 && this.#status <= 299;
    }

    get headers() {
        if (this.#headers === null) {
            this.#headers = headersOf(this.#kind === null ? [] : [["content-type", this.#kind]]);
        }
        return this.#headers;
    }

    get type() {
        return this.#type;
    }

    get url() {
        return this.#url;
    }

    get redirected() {
        return false;
    }

    clone() {
        const copy = new Response(null, { status: this.#status || 200, statusText: this.#statusText, headers: this.headers });
        copy.#status = this.#status;
        copy.#body = bodyClone(this.#body);
        copy.#type = this.#type;
        copy.#url = this.#url;
        return copy;
    }

    static json(value, init = {}) {
        const text = JSON.stringify(value);
        if (text === undefined) {
            throw new TypeError("Value is not JSON serializable");
        }
        const headers = new Headers(init?.headers);
        if (!headers.has("content-type")) {
            headersList(headers).push(["content-type", "application/json"]);
        }
        return new Response(text, { ...init, headers });
    }

    static error() {
        const response = new Response(null);
        response.#status = 0;
        response.#type = "error";
        return response;
    }

    static redirect(url, status = 302) {
        if (![301, 302, 303, 307, 308].includes(status)) {
            throw new RangeError(`Invalid status code ${status}`);
        }
        const place = native.url(wellFormed(url), undefined);
        return new Response(null, { status, headers: { location: place === null ? encodeURI(String(url)) : place[0] } });
    }
}
delete Response.prototype._made;
tagged(Response, "Response", "status", "statusText", "ok", "headers", "type", "url", "redirected", "clone");

const responseMade = Response._made;
delete Response._made;

// ---- requests ----

const METHOD = 0;
const QUERY_TARGET = 3;
const HOST = 4;
const SCHEME = 8;

const incomingHeaders = () => {
    const list = [];
    for (let i = 0; ; i++) {
        const line = native.requestHeader(i);
        if (line === null) {
            return list;
        }
        const at = line.indexOf(":");
        list.push([line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()]);
    }
};

const incomingURL = () => {
    const host = native.requestGet(HOST) || "localhost";
    const target = native.requestGet(QUERY_TARGET);
    const text = `${native.requestGet(SCHEME)}://${host}${target.startsWith("/") ? target : "/"}`;
    return native.url(text, undefined)?.[0] ?? text;
};

const READ_BYTES = 65536;

const incomingStream = () => new ReadableStream({
    type: "bytes",
    pull(controller) {
        const chunk = native.requestRead(READ_BYTES);
        if (chunk === null) {
            controller.close();
        } else {
            controller.enqueue(chunk);
        }
    },
}, { highWaterMark: 0 });

const INCOMING = Symbol("incoming");
const NORMAL_METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"]);
let outgoingOf; // a Request: {method, url, list, body, redirect, signal}

class Request extends Message {
    #method;
    #url;
    #headers;
    #body;
    #signal;
    #redirect = "follow";

    static {
        outgoingOf = (request) => ({
            method: request.method, url: request.url, list: headersList(request.headers), body: request._body(),
            redirect: request.#redirect, signal: request.#signal,
        });
    }

    constructor(input, init = undefined) {
        super();
        if (input === INCOMING) {
            return; // the rest is asked for
        }
        const from = input instanceof Request ? input : null;
        if (from === null) {
            needArguments(arguments.length, 1, "Request");
            const parts = native.url(wellFormed(input), undefined);
            if (parts === null) {
                throw new TypeError(`Failed to parse URL from ${input}`);
            }
            if (parts[2] !== "" || parts[3] !== "") {
                throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${input}`);
            }
            this.#url = parts[0];
        } else {
            this.#url = from.url;
        }
        const options = init ?? {};
        this.#setMethod(options.method ?? from?.method ?? "GET");
        this.#headers = new Headers(options.headers ?? from?.headers ?? undefined);
        this.#redirect = options.redirect ?? from?.redirect ?? "follow";
        if (!["follow", "error", "manual"].includes(this.#redirect)) {
            throw new TypeError(`Request: ${this.#redirect} is no value of redirect`);
        }
        const signal = options.signal === undefined ? from?.signal : options.signal;
        if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) {
            throw new TypeError("Request: signal is no AbortSignal");
        }
        this.#signal = AbortSignal.any(signal ? [signal] : []);
        this.#takeBody(options.body, from);
    }

    #setMethod(value) {
        const name = String(value);
        const upper = name.toUpperCase();
        if (!TOKEN.test(name)) {
            throw new TypeError(`'${name}' is not a valid HTTP method.`);
        }
        if (upper === "CONNECT" || upper === "TRACE" || upper === "TRACK") {
            throw new TypeError(`'${name}' HTTP method is unsupported.`);
        }
        this.#method = NORMAL_METHODS.has(upper) && upper !== "PATCH" ? upper : name;
    }

    #takeBody(given, from) {
        if ((given !== undefined && given !== null) && (this.#method === "GET" || this.#method === "HEAD")) {
            throw new TypeError("Request with GET/HEAD method cannot have body.");
        }
        if (given !== undefined && given !== null) {
            const [body, kind] = bodyOf(given);
            this.#body = body;
            if (kind !== null && !this.#headers.has("content-type")) {
                headersList(this.#headers).push(["content-type", kind]);
            }
        } else if (from !== null && given === undefined) {
            const theirs = from._body();
            if (bodyUsed(theirs) || theirs.stream?.locked) {
                throw new TypeError("Cannot construct a Request with a Request object that has already been used.");
            }
            this.#body = { ...theirs };
            if (theirs.source !== null || theirs.stream !== null) {
                theirs.used = true;
            }
        } else {
            this.#body = { source: null, stream: null, used: false };
        }
    }

    _body() {
        if (this.#body === undefined) {
            const name = this.method;
            const stream = name === "GET" || name === "HEAD" ? null : incomingStream();
            this.#body = { source: null, stream, used: false };
        }
        return this.#body;
    }

    get method() {
        return (this.#method ??= native.requestGet(METHOD));
    }

    get url() {
        return (this.#url ??= incomingURL());
    }

    get headers() {
        return (this.#headers ??= headersOf(incomingHeaders()));
    }

    get redirect() {
        return this.#redirect;
    }

    get signal() {
        if (this.#signal === undefined) {
            const controller = new AbortController();
            this.#signal = controller.signal;
            const gone = () => controller.abort(new DOMException("The client has left", "AbortError"));
            waitFor(CLIENT_GONE, 0, true).then(gone, gone);
        }
        return this.#signal;
    }

    clone() {
        const copy = new Request(this.url, { method: this.method, headers: this.headers, redirect: this.#redirect,
            signal: this.signal });
        copy.#body = bodyClone(this._body());
        return copy;
    }
}
tagged(Request, "Request", "method", "url", "headers", "redirect", "signal", "clone");
for (const name of ["body", "bodyUsed", "text", "json", "bytes", "arrayBuffer", "blob", "formData"]) {
    const found = Object.getOwnPropertyDescriptor(Message.prototype, name);
    Object.defineProperty(Response.prototype, name, { ...found, enumerable: true });
    Object.defineProperty(Request.prototype, name, { ...found, enumerable: true });
}
