// TextEncoder, TextDecoder and what bytes are, for all that follows.

const bytesOf = (value) => {
    if (value instanceof Uint8Array) {
        return value;
    }
    if (ArrayBuffer.isView(value)) {
        return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    }
    if (value instanceof ArrayBuffer) {
        return new Uint8Array(value);
    }
    return null;
};

const encodeText = (text) => native.encode(text.isWellFormed() ? text : text.toWellFormed());

// A property as the Web's interfaces have theirs: seen by for-in, not to be replaced by accident.
const tagged = (type, name, ...enumerable) => {
    Object.defineProperty(type.prototype, Symbol.toStringTag, { value: name, configurable: true });
    for (const one of enumerable) {
        const found = Object.getOwnPropertyDescriptor(type.prototype, one);
        Object.defineProperty(type.prototype, one, { ...found, enumerable: true });
    }
};

class TextEncoder {
    get encoding() {
        return "utf-8";
    }

    encode(text = "") {
        return encodeText(String(text));
    }

    encodeInto(text, target) {
        if (!(target instanceof Uint8Array)) {
            throw new TypeError("TextEncoder.encodeInto: the target is no Uint8Array");
        }
        let read = 0;
        let written = 0;
        for (const character of String(text)) {
            const bytes = encodeText(character);
            if (written + bytes.length > target.length) {
                break;
            }
            target.set(bytes, written);
            written += bytes.length;
            read += character.length;
        }
        return { read, written };
    }
}
tagged(TextEncoder, "TextEncoder", "encoding", "encode", "encodeInto");

const ENCODINGS = new Map();
for (const label of ["unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "utf-8", "utf8", "x-unicode20utf8"]) {
    ENCODINGS.set(label, "utf-8");
}
for (const label of ["csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff", "utf-16", "utf-16le"]) {
    ENCODINGS.set(label, "utf-16le");
}
for (const label of ["unicodefffe", "utf-16be"]) {
    ENCODINGS.set(label, "utf-16be");
}

// How many bytes at the end begin a UTF-8 character that may still be completed.
const utf8Tail = (bytes) => {
    for (let back = 1; back <= 3 && back <= bytes.length; back++) {
        const one = bytes[bytes.length - back];
        if (one >= 0xc2 && one <= 0xf4) {
            const need = one < 0xe0 ? 2 : one < 0xf0 ? 3 : 4;
            const second = back > 1 ? bytes[bytes.length - back + 1] : 0x90;
            const impossible = back > 1 && ((one === 0xe0 && second < 0xa0) || (one === 0xed && second > 0x9f) ||
                (one === 0xf0 && second < 0x90) || (one === 0xf4 && second > 0x8f));
            return back < need && !impossible ? back : 0;
        }
        if (one < 0x80 || one > 0xbf) {
            return 0;
        }
    }
    return 0;
};

const joined = (first, second) => {
    const all = new Uint8Array(first.length + second.length);
    all.set(first);
    all.set(second, first.length);
    return all;
};

class TextDecoder {
    #encoding;
    #fatal;
    #ignoreBOM;
    #left = null; // of the last chunk of a stream
    #begun = false; // past the place of a byte order mark

    constructor(label = "utf-8", options = {}) {
        const encoding = ENCODINGS.get(String(label).trim().toLowerCase());
        if (encoding === undefined) {
            throw new RangeError(`The "${label}" encoding is not supported`);
        }
        this.#encoding = encoding;
        this.#fatal = Boolean(options?.fatal);
        this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }

    get encoding() {
        return this.#encoding;
    }

    get fatal() {
        return this.#fatal;
    }

    get ignoreBOM() {
        return this.#ignoreBOM;
    }

    decode(input = new Uint8Array(0), options = {}) {
        let bytes = bytesOf(input);
        if (bytes === null) {
            throw new TypeError("TextDecoder.decode: the input is neither an ArrayBuffer nor a view of one");
        }
        if (this.#left !== null) {
            bytes = joined(this.#left, bytes);
            this.#left = null;
        }
        const stream = Boolean(options?.stream);
        const tail = stream ? this.#tail(bytes) : 0;
        if (tail > 0) {
            this.#left = bytes.slice(bytes.length - tail);
            bytes = bytes.subarray(0, bytes.length - tail);
        }
        let text = this.#encoding === "utf-8" ? native.decode(bytes, this.#fatal) : this.#utf16(bytes);
        if (text === null) {
            this.#left = null;
            this.#begun = false;
            const error = new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`);
            error.code = "ERR_ENCODING_INVALID_ENCODED_DATA";
            throw error;
        }
        if (!this.#begun && text.length > 0) {
            this.#begun = true;
            if (!this.#ignoreBOM && text.charCodeAt(0) === 0xfeff) {
                text = text.slice(1);
            }
        }
        if (!stream) {
            this.#begun = false;
        }
        return text;
    }

    #tail(bytes) {
        if (this.#encoding === "utf-8") {
            return utf8Tail(bytes);
        }
        const odd = bytes.length % 2;
        const high = bytes.length - odd >= 2 &&
            (bytes[bytes.length - odd - (this.#encoding === "utf-16le" ? 1 : 2)] & 0xfc) === 0xd8;
        return odd + (high ? 2 : 0);
    }

    #utf16(bytes) {
        const little = this.#encoding === "utf-16le";
        const units = [];
        for (let i = 0; i + 1 < bytes.length; i += 2) {
            units.push(little ? bytes[i] | (bytes[i + 1] << 8) : (bytes[i] << 8) | bytes[i + 1]);
        }
        let text = "";
        for (let i = 0; i < units.length; i += 4096) {
            text += String.fromCharCode.apply(null, units.slice(i, i + 4096));
        }
        if (bytes.length % 2 === 1) {
            text += "\ud800"; // half a unit is as wrong as half a pair
        }
        if (text.isWellFormed()) {
            return text;
        }
        return this.#fatal ? null : text.toWellFormed();
    }
}
tagged(TextDecoder, "TextDecoder", "encoding", "fatal", "ignoreBOM", "decode");
