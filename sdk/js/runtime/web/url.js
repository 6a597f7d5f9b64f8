// URL (parsed by the host layer's library) and URLSearchParams.

const formDecode = (text) => {
    text = text.replaceAll("+", " ");
    if (!text.includes("%")) {
        return text.isWellFormed() ? text : text.toWellFormed();
    }
    const from = encodeText(text);
    const to = new Uint8Array(from.length);
    let size = 0;
    for (let i = 0; i < from.length; i++) {
        let byte = from[i];
        if (byte === 0x25 && i + 2 < from.length) {
            const digits = String.fromCharCode(from[i + 1], from[i + 2]);
            if (/^[0-9a-fA-F]{2}$/.test(digits)) {
                byte = parseInt(digits, 16);
                i += 2;
            }
        }
        to[size++] = byte;
    }
    return native.decode(to.subarray(0, size), false);
};

const formEncode = (text) => {
    if (/^[A-Za-z0-9*\-._]*$/.test(text)) {
        return text;
    }
    let out = "";
    for (const byte of encodeText(text)) {
        if (byte === 0x20) {
            out += "+";
        } else if ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) ||
            byte === 0x2a || byte === 0x2d || byte === 0x2e || byte === 0x5f) {
            out += String.fromCharCode(byte);
        } else {
            out += "%" + (byte < 16 ? "0" : "") + byte.toString(16).toUpperCase();
        }
    }
    return out;
};

const formParse = (text) => {
    const list = [];
    for (const part of text.split("&")) {
        if (part === "") {
            continue;
        }
        const at = part.indexOf("=");
        list.push(at < 0 ? [formDecode(part), ""] : [formDecode(part.slice(0, at)), formDecode(part.slice(at + 1))]);
    }
    return list;
};

const wellFormed = (value) => String(value).toWellFormed();
const needArguments = (given, wanted, what) => {
    if (given < wanted) {
        throw new TypeError(`${what}: ${wanted} argument${wanted > 1 ? "s" : ""} required, but only ${given} present`);
    }
};

// An iterator over a list that may change while it is walked through.
const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));
const listIterator = (name) => {
    const prototype = Object.create(IteratorPrototype, {
        [Symbol.toStringTag]: { value: name, configurable: true },
        next: {
            value() {
                const list = this._list();
                if (this._at >= list.length) {
                    return { value: undefined, done: true };
                }
                const [key, value] = list[this._at++];
                return { value: this._kind === "key" ? key : this._kind === "value" ? value : [key, value], done: false };
            },
            writable: true, configurable: true, enumerable: true,
        },
    });
    return (list, kind) => Object.create(prototype, {
        _list: { value: list }, _kind: { value: kind }, _at: { value: 0, writable: true },
    });
};

let paramsReplace;
let paramsOwn;
const paramsIterator = listIterator("URLSearchParams Iterator");

class URLSearchParams {
    #list = [];
    #changed = null; // told of a change: the URL that it belongs to

    static {
        paramsReplace = (params, text) => {
            params.#list = formParse(text);
        };
        paramsOwn = (params, changed) => {
            params.#changed = changed;
        };
    }

    constructor(init = "") {
        if (init === null || (typeof init !== "object" && typeof init !== "function")) {
            const text = wellFormed(init);
            this.#list = formParse(text.startsWith("?") ? text.slice(1) : text);
            return;
        }
        const walk = init[Symbol.iterator];
        if (walk === undefined || walk === null) {
            for (const key of Reflect.ownKeys(init)) {
                if (typeof key === "symbol" || !Object.getOwnPropertyDescriptor(init, key)?.enumerable) {
                    continue;
                }
                const value = wellFormed(init[key]);
                const name = wellFormed(key);
                const known = this.#list.find((one) => one[0] === name);
                if (known === undefined) {
                    this.#list.push([name, value]);
                } else {
                    known[1] = value;
                }
            }
            return;
        }
        if (typeof walk !== "function") {
            throw new TypeError("Query pairs must be iterable");
        }
        for (const pair of init) {
            if (pair === null || typeof pair !== "object" || typeof pair[Symbol.iterator] !== "function") {
                throw new TypeError("Each query pair must be an iterable [name, value] tuple");
            }
            const both = [...pair];
            if (both.length !== 2) {
                throw new TypeError("Each query pair must be an iterable [name, value] tuple");
            }
            this.#list.push([wellFormed(both[0]), wellFormed(both[1])]);
        }
    }

    get size() {
        return this.#list.length;
    }

    append(name, value) {
        needArguments(arguments.length, 2, "URLSearchParams.append");
        this.#list.push([wellFormed(name), wellFormed(value)]);
        this.#changed?.();
    }

    delete(name, value) {
        needArguments(arguments.length, 1, "URLSearchParams.delete");
        const key = wellFormed(name);
        const only = value === undefined ? undefined : wellFormed(value);
        this.#list = this.#list.filter((one) => one[0] !== key || (only !== undefined && one[1] !== only));
        this.#changed?.();
    }

    get(name) {
        needArguments(arguments.length, 1, "URLSearchParams.get");
        const key = wellFormed(name);
        return this.#list.find((one) => one[0] === key)?.[1] ?? null;
    }

    getAll(name) {
        needArguments(arguments.length, 1, "URLSearchParams.getAll");
        const key = wellFormed(name);
        return this.#list.filter((one) => one[0] === key).map((one) => one[1]);
    }

    has(name, value) {
        needArguments(arguments.length, 1, "URLSearchParams.has");
        const key = wellFormed(name);
        const only = value === undefined ? undefined : wellFormed(value);
        return this.#list.some((one) => one[0] === key && (only === undefined || one[1] === only));
    }

    set(name, value) {
        needArguments(arguments.length, 2, "URLSearchParams.set");
        const key = wellFormed(name);
        const text = wellFormed(value);
        const at = this.#list.findIndex((one) => one[0] === key);
        if (at < 0) {
            this.#list.push([key, text]);
        } else {
            this.#list[at][1] = text;
            this.#list = this.#list.filter((one, index) => index <= at || one[0] !== key);
        }
        this.#changed?.();
    }

    sort() {
        this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
        this.#changed?.();
    }

    forEach(callback, self) {
        if (typeof callback !== "function") {
            throw new TypeError("URLSearchParams.forEach: the callback is no function");
        }
        for (let i = 0; i < this.#list.length; i++) {
            callback.call(self, this.#list[i][1], this.#list[i][0], this);
        }
    }

    entries() {
        return paramsIterator(() => this.#list, "both");
    }

    keys() {
        return paramsIterator(() => this.#list, "key");
    }

    values() {
        return paramsIterator(() => this.#list, "value");
    }

    toString() {
        return this.#list.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`).join("&");
    }
}
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator,
    { value: URLSearchParams.prototype.entries, writable: true, configurable: true });
tagged(URLSearchParams, "URLSearchParams", "size", "append", "delete", "get", "getAll", "has", "set", "sort", "forEach",
    "entries", "keys", "values", "toString");

const invalidURL = (input, base) => {
    const error = new TypeError("Invalid URL");
    error.code = "ERR_INVALID_URL";
    error.input = input;
    if (base !== undefined) {
        error.base = base;
    }
    return error;
};

class URL {
    #parts; // as native.url gives them
    #params = null;

    constructor(input, base = undefined) {
        needArguments(arguments.length, 1, "URL");
        const text = wellFormed(input);
        const under = base === undefined ? undefined : wellFormed(base);
        this.#parts = native.url(text, under);
        if (this.#parts === null) {
            throw invalidURL(text, under);
        }
    }

    static canParse(input, base = undefined) {
        needArguments(arguments.length, 1, "URL.canParse");
        return native.url(wellFormed(input), base === undefined ? undefined : wellFormed(base)) !== null;
    }

    static parse(input, base = undefined) {
        return URL.canParse(input, base) ? new URL(input, base) : null;
    }

    #set(part, value) {
        const text = wellFormed(value);
        const parts = native.urlSet(this.#parts[0], part, text);
        if (parts === null) {
            throw invalidURL(text);
        }
        this.#parts = parts;
        if (this.#params !== null && (part === 0 || part === 7)) {
            paramsReplace(this.#params, parts[7].slice(1));
        }
    }

    get href() {
        return this.#parts[0];
    }

    set href(value) {
        this.#set(0, value);
    }

    get origin() {
        return this.#parts[10];
    }

    get protocol() {
        return this.#parts[1];
    }

    set protocol(value) {
        this.#set(1, value);
    }

    get username() {
        return this.#parts[2];
    }

    set username(value) {
        this.#set(2, value);
    }

    get password() {
        return this.#parts[3];
    }

    set password(value) {
        this.#set(3, value);
    }

    get host() {
        return this.#parts[9];
    }

    set host(value) {
        this.#set(9, value);
    }

    get hostname() {
        return this.#parts[4];
    }

    set hostname(value) {
        this.#set(4, value);
    }

    get port() {
        return this.#parts[5];
    }

    set port(value) {
        this.#set(5, value);
    }

    get pathname() {
        return this.#parts[6];
    }

    set pathname(value) {
        this.#set(6, value);
    }

    get search() {
        return this.#parts[7];
    }

    set search(value) {
        this.#set(7, value);
    }

    get searchParams() {
        if (this.#params === null) {
            const params = new URLSearchParams(this.#parts[7]);
            paramsOwn(params, () => {
                this.#parts = native.urlSet(this.#parts[0], 7, params.toString()) ?? this.#parts;
            });
            this.#params = params;
        }
        return this.#params;
    }

    get hash() {
        return this.#parts[8];
    }

    set hash(value) {
        this.#set(8, value);
    }

    toString() {
        return this.#parts[0];
    }

    toJSON() {
        return this.#parts[0];
    }
}
tagged(URL, "URL", "href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search",
    "searchParams", "hash", "toString", "toJSON");
