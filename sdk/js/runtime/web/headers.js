// Headers. A list of [lower-case name, value] in the order in which they were given.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[\0\r\n]|[^\0-\xff]/;

const headerName = (name) => {
    const text = String(name);
    if (!TOKEN.test(text)) {
        throw new TypeError(`Headers: "${text}" is an invalid header name`);
    }
    return text.toLowerCase();
};

const headerValue = (value) => {
    const text = String(value).replace(/^[\t\r\n ]+|[\t\r\n ]+$/g, "");
    if (BAD_VALUE.test(text)) {
        throw new TypeError("Headers: an invalid header value");
    }
    return text;
};

const headersIterator = listIterator("Headers Iterator");
let headersList; // of a Headers: to read or fill without checks
let headersOf; // a Headers of a list

class Headers {
    #list = [];

    static {
        headersList = (headers) => headers.#list;
        headersOf = (list) => {
            const headers = new Headers();
            headers.#list = list;
            return headers;
        };
    }

    constructor(init = undefined) {
        if (init === undefined) {
            return;
        }
        if (init === null || typeof init !== "object") {
            throw new TypeError("Headers: the initial value is neither a sequence nor a record");
        }
        if (#list in init && init[Symbol.iterator] === Headers.prototype[Symbol.iterator]) {
            this.#list = init.#list.map((one) => [...one]);
        } else if (typeof init[Symbol.iterator] === "function") {
            for (const pair of init) {
                if (pair === null || typeof pair !== "object" || typeof pair[Symbol.iterator] !== "function") {
                    throw new TypeError("Headers: each element must be an iterable [name, value] pair");
                }
                const both = [...pair];
                if (both.length !== 2) {
                    throw new TypeError("Headers: each element must be a [name, value] pair");
                }
                this.append(both[0], both[1]);
            }
        } else {
            for (const key of Reflect.ownKeys(init)) {
                if (typeof key === "symbol") {
                    throw new TypeError("Headers: a symbol is no header name");
                }
                if (Object.getOwnPropertyDescriptor(init, key)?.enumerable) {
                    this.append(key, init[key]);
                }
            }
        }
    }

    append(name, value) {
        needArguments(arguments.length, 2, "Headers.append");
        this.#list.push([headerName(name), headerValue(value)]);
    }

    delete(name) {
        needArguments(arguments.length, 1, "Headers.delete");
        const key = headerName(name);
        this.#list = this.#list.filter((one) => one[0] !== key);
    }

    get(name) {
        needArguments(arguments.length, 1, "Headers.get");
        const key = headerName(name);
        let found = null;
        for (const one of this.#list) {
            if (one[0] === key) {
                found = found === null ? one[1] : `${found}, ${one[1]}`;
            }
        }
        return found;
    }

    getSetCookie() {
        return this.#list.filter((one) => one[0] === "set-cookie").map((one) => one[1]);
    }

    has(name) {
        needArguments(arguments.length, 1, "Headers.has");
        const key = headerName(name);
        return this.#list.some((one) => one[0] === key);
    }

    set(name, value) {
        needArguments(arguments.length, 2, "Headers.set");
        const key = headerName(name);
        const text = headerValue(value);
        const at = this.#list.findIndex((one) => one[0] === key);
        if (at < 0) {
            this.#list.push([key, text]);
        } else {
            this.#list = this.#list.filter((one, index) => index <= at || one[0] !== key);
            this.#list[at] = [key, text];
        }
    }

    #sorted() {
        const seen = new Map();
        const cookies = [];
        for (const [name, value] of this.#list) {
            if (name === "set-cookie") {
                cookies.push([name, value]);
            } else {
                seen.set(name, seen.has(name) ? `${seen.get(name)}, ${value}` : value);
            }
        }
        return [...seen, ...cookies].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    }

    forEach(callback, self) {
        if (typeof callback !== "function") {
            throw new TypeError("Headers.forEach: the callback is no function");
        }
        for (const [name, value] of this.#sorted()) {
            callback.call(self, value, name, this);
        }
    }

    entries() {
        return headersIterator(() => this.#sorted(), "both");
    }

    keys() {
        return headersIterator(() => this.#sorted(), "key");
    }

    values() {
        return headersIterator(() => this.#sorted(), "value");
    }
}
Object.defineProperty(Headers.prototype, Symbol.iterator,
    { value: Headers.prototype.entries, writable: true, configurable: true });
tagged(Headers, "Headers", "append", "delete", "get", "getSetCookie", "has", "set", "forEach", "entries", "keys", "values");

const headersText = (list) => {
    let text = "";
    for (let i = 0; i < list.length; i++) {
        const name = list[i][0];
        // These are the platform's: the connection, and the length of what is really sent.
        if (name !== "content-length" && name !== "connection" && name !== "transfer-encoding" &&
            name !== "keep-alive" && name !== "upgrade" && name !== "trailer") {
            text += name + ": " + list[i][1] + "\n";
        }
    }
    return text;
};

// A header is bytes; in JavaScript each is a code unit.
const headersBytes = (list) => {
    const text = headersText(list);
    if (!/[^\0-\x7f]/.test(text)) {
        return text;
    }
    return Uint8Array.from(text, (unit) => unit.charCodeAt(0));
};
