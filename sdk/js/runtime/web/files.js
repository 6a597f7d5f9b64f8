// Blob, File, FormData, and bodies made of them: multipart/form-data both ways.

const blobType = (value) => {
    const text = value === undefined ? "" : String(value);
    return /^[\x20-\x7e]*$/.test(text) ? text.toLowerCase() : "";
};

let blobBytes; // of a Blob: not to be written to

const blobParts = (parts, endings) => {
    if (parts === null || typeof parts !== "object" || typeof parts[Symbol.iterator] !== "function") {
        throw new TypeError("Blob: the parts are no sequence");
    }
    const list = [];
    let size = 0;
    for (const one of parts) {
        const text = () => (endings === "native" ? String(one).replace(/\r\n?/g, "\n") : String(one));
        const bytes = one instanceof Blob ? blobBytes(one) : bytesOf(one)?.slice() ?? encodeText(text());
        list.push(bytes);
        size += bytes.length;
    }
    if (list.length === 1) {
        return list[0];
    }
    const all = new Uint8Array(size);
    let at = 0;
    for (const bytes of list) {
        all.set(bytes, at);
        at += bytes.length;
    }
    return all;
};

// Where a slice begins or ends: from the end when below 0.
const blobPlace = (value, size, otherwise) => {
    if (value === undefined) {
        return otherwise;
    }
    const number = Math.trunc(Number(value)) || 0;
    return number < 0 ? Math.max(0, size + number) : Math.min(number, size);
};

class Blob {
    #bytes;
    #type;

    static {
        blobBytes = (blob) => blob.#bytes;
    }

    constructor(parts = [], options = {}) {
        if (options !== null && typeof options !== "object" && typeof options !== "function") {
            throw new TypeError("Blob: the options are no object");
        }
        const endings = options?.endings ?? "transparent";
        if (endings !== "transparent" && endings !== "native") {
            throw new TypeError(`Blob: ${String(endings)} is no value of endings`);
        }
        this.#bytes = blobParts(parts, endings);
        this.#type = blobType(options?.type);
    }

    get size() {
        return this.#bytes.length;
    }

    get type() {
        return this.#type;
    }

    slice(start, end, type = "") {
        const size = this.#bytes.length;
        const from = blobPlace(start, size, 0);
        const made = new Blob([], { type });
        made.#bytes = this.#bytes.subarray(from, Math.max(from, blobPlace(end, size, size)));
        return made;
    }

    async text() {
        return native.decode(this.#bytes, false);
    }

    async bytes() {
        return this.#bytes.slice();
    }

    async arrayBuffer() {
        return this.#bytes.slice().buffer;
    }

    stream() {
        return bodyStream({ source: this.#bytes.slice(), stream: null, used: false });
    }
}
tagged(Blob, "Blob", "size", "type", "slice", "text", "bytes", "arrayBuffer", "stream");

class File extends Blob {
    #name;
    #modified;

    constructor(parts, name, options = {}) {
        needArguments(arguments.length, 2, "File");
        super(parts, options);
        this.#name = wellFormed(name);
        const modified = options?.lastModified;
        this.#modified = modified === undefined ? Date.now() : Math.trunc(Number(modified)) || 0;
    }

    get name() {
        return this.#name;
    }

    get lastModified() {
        return this.#modified;
    }
}
tagged(File, "File", "name", "lastModified");

// ---- forms ----

const formIterator = listIterator("FormData Iterator");
let formList; // of a FormData: [[name, string or File]]

const formValue = (method, value, filename) => {
    if (!(value instanceof Blob)) {
        if (filename !== undefined) {
            throw new TypeError(`FormData.${method}: a file name was given, and no Blob`);
        }
        return wellFormed(value);
    }
    if (value instanceof File && filename === undefined) {
        return value;
    }
    const name = filename === undefined ? "blob" : wellFormed(filename);
    return new File([value], name, { type: value.type, lastModified: value.lastModified });
};

class FormData {
    #list = [];

    static {
        formList = (form) => form.#list;
    }

    constructor(form = undefined) {
        if (form !== undefined) {
            throw new TypeError("FormData: there are no forms to make one of");
        }
    }

    append(name, value, filename = undefined) {
        needArguments(arguments.length, 2, "FormData.append");
        this.#list.push([wellFormed(name), formValue("append", value, filename)]);
    }

    delete(name) {
        needArguments(arguments.length, 1, "FormData.delete");
        const key = wellFormed(name);
        this.#list = this.#list.filter((one) => one[0] !== key);
    }

    get(name) {
        needArguments(arguments.length, 1, "FormData.get");
        const key = wellFormed(name);
        return this.#list.find((one) => one[0] === key)?.[1] ?? null;
    }

    getAll(name) {
        needArguments(arguments.length, 1, "FormData.getAll");
        const key = wellFormed(name);
        return this.#list.filter((one) => one[0] === key).map((one) => one[1]);
    }

    has(name) {
        needArguments(arguments.length, 1, "FormData.has");
        const key = wellFormed(name);
        return this.#list.some((one) => one[0] === key);
    }

    set(name, value, filename = undefined) {
        needArguments(arguments.length, 2, "FormData.set");
        const key = wellFormed(name);
        const entry = [key, formValue("set", value, filename)];
        const at = this.#list.findIndex((one) => one[0] === key);
        if (at < 0) {
            this.#list.push(entry);
        } else {
            this.#list[at] = entry;
            this.#list = this.#list.filter((one, index) => index <= at || one[0] !== key);
        }
    }

    forEach(callback, self) {
        if (typeof callback !== "function") {
            throw new TypeError("FormData.forEach: the callback is no function");
        }
        for (let i = 0; i < this.#list.length; i++) {
            callback.call(self, this.#list[i][1], this.#list[i][0], this);
        }
    }

    entries() {
        return formIterator(() => this.#list, "both");
    }

    keys() {
        return formIterator(() => this.#list, "key");
    }

    values() {
        return formIterator(() => this.#list, "value");
    }
}
Object.defineProperty(FormData.prototype, Symbol.iterator,
    { value: FormData.prototype.entries, writable: true, configurable: true });
tagged(FormData, "FormData", "append", "delete", "get", "getAll", "has", "set", "forEach", "entries", "keys", "values");

// ---- multipart/form-data (RFC 7578, as the Fetch Standard has it) ----

const multipartQuoted = (text) => text.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
const lineBreaks = (text) => text.replace(/\r\n?|\n/g, "\r\n");

// [bytes, content type]
const multipartWrite = (form) => {
    const boundary = `----mote-form-${crypto.randomUUID()}`;
    const parts = [];
    for (const [name, value] of formList(form)) {
        let head = `--${boundary}\r\nContent-Disposition: form-data; name="${multipartQuoted(lineBreaks(name))}"`;
        if (typeof value === "string") {
            parts.push(`${head}\r\n\r\n${lineBreaks(value)}\r\n`);
        } else {
            head += `; filename="${multipartQuoted(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}`;
            parts.push(`${head}\r\n\r\n`, value, "\r\n");
        }
    }
    parts.push(`--${boundary}--\r\n`);
    return [blobParts(parts, "transparent"), `multipart/form-data; boundary=${boundary}`];
};

const formMalformed = () => new TypeError("The body is no form that could be parsed");

// The value of `name="..."` among the parameters of a header of code units that are bytes; null: there is none.
const multipartParameter = (line, name) => {
    const found = new RegExp(`;[ \\t]*${name}="([^"]*)"`, "i").exec(line);
    if (found === null) {
        return null;
    }
    const raw = found[1].replace(/%0a/gi, "\n").replace(/%0d/gi, "\r").replaceAll("%22", '"');
    return native.decode(Uint8Array.from(raw, (unit) => unit.charCodeAt(0)), false);
};

const multipartRead = (bytes, boundary) => {
    const form = new FormData();
    const text = native.latin1(bytes); // so that the engine looks for the boundary
    const mark = `--${boundary}`;
    let at = text.startsWith(mark) ? 0 : text.indexOf(`\r\n${mark}`) + 2;
    if (at === 1) {
        throw formMalformed();
    }
    for (;;) {
        at += mark.length;
        if (text.startsWith("--", at)) {
            return form;
        }
        const line = text.indexOf("\r\n", at);
        // The last line of the headers is empty, and may be the first.
        const head = line < 0 || /[^ \t]/.test(text.slice(at, line)) ? -1 : text.indexOf("\r\n\r\n", line);
        const next = head < 0 ? -1 : text.indexOf(`\r\n${mark}`, head + 2);
        if (next < 0) {
            throw formMalformed();
        }
        const headers = text.slice(line, head).split("\r\n").filter((one) => one !== "");
        const header = (name) => headers.find((one) => one.slice(0, name.length).toLowerCase() === name)?.slice(name.length);
        const disposition = header("content-disposition:");
        const name = disposition === undefined || !/^[ \t]*form-data[ \t]*;/i.test(disposition) ? null
            : multipartParameter(disposition, "name");
        if (name === null) {
            throw formMalformed();
        }
        const filename = multipartParameter(disposition, "filename");
        const body = bytes.subarray(Math.min(head + 4, next), next);
        formList(form).push([name, filename === null ? native.decode(body, false)
            : new File([body], filename, { type: header("content-type:")?.trim() ?? "text/plain" })]);
        at = next + 2;
    }
};

// A body's form, by its content type.
const formRead = (source, type) => {
    const essence = type.split(";")[0].trim().toLowerCase();
    if (essence === "application/x-www-form-urlencoded") {
        const form = new FormData();
        formList(form).push(...formParse(asText(source)));
        return form;
    }
    const boundary = /;[ \t]*boundary=(?:"([^"]+)"|([^;\s"]+))/i.exec(type);
    if (essence !== "multipart/form-data" || boundary === null) {
        throw new TypeError("The body is no form: Content-Type was not one of \"multipart/form-data\" or " +
            "\"application/x-www-form-urlencoded\".");
    }
    return multipartRead(bodyBytes(source), boundary[1] ?? boundary[2]);
};
