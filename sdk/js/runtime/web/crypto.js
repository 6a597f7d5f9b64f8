// crypto: random values, and of crypto.subtle what needs one secret: hashes, HMAC, AES, keys derived from passwords.

const HASHES = { "SHA-1": 1, "SHA-256": 256, "SHA-384": 384, "SHA-512": 512 };
const HASH_BITS = { 1: 160, 256: 256, 384: 384, 512: 512 };
const TAG_BITS = [32, 64, 96, 104, 112, 120, 128];
const IV_BYTES = 16; // of CBC
const DERIVED_BYTES_MAX = 2 ** 30;
const KEY_BITS = [128, 192, 256];
const CIPHER_USES = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];
const USES = {
    HMAC: ["sign", "verify"], "AES-GCM": CIPHER_USES, "AES-CBC": CIPHER_USES, PBKDF2: ["deriveKey", "deriveBits"],
    HKDF: ["deriveKey", "deriveBits"],
};

const cryptoError = (name, text) => new DOMException(text, name);
const unsupported = (what) => cryptoError("NotSupportedError", `crypto.subtle: ${what} is not supported`);

// {...algorithm, name} with the name as it is written among `names`.
const algorithmOf = (algorithm, names) => {
    const given = algorithm === null || typeof algorithm !== "object" ? { name: algorithm } : algorithm;
    if (given.name === undefined) {
        throw new TypeError("crypto.subtle: the algorithm has no name");
    }
    const name = names.find((one) => one.toLowerCase() === String(given.name).toLowerCase());
    if (name === undefined) {
        throw unsupported(String(given.name));
    }
    return { ...given, name };
};

const hashOf = (algorithm) => algorithmOf(algorithm, Object.keys(HASHES)).name;

const dataOf = (value, what = "the data") => {
    const bytes = bytesOf(value);
    if (bytes === null) {
        throw new TypeError(`crypto.subtle: ${what} is neither an ArrayBuffer nor a view of one`);
    }
    return bytes;
};

let keyBytes;

class CryptoKey {
    #bytes;
    #algorithm;
    #extractable;
    #usages;

    static {
        keyBytes = (key) => key.#bytes;
    }

    constructor(token, bytes, algorithm, extractable, usages) {
        if (token !== MADE_HERE) {
            throw new TypeError("Illegal constructor");
        }
        this.#bytes = bytes;
        this.#algorithm = algorithm;
        this.#extractable = extractable;
        this.#usages = usages;
    }

    get type() {
        return "secret";
    }

    get extractable() {
        return this.#extractable;
    }

    get algorithm() {
        return this.#algorithm;
    }

    get usages() {
        return this.#usages;
    }
}
tagged(CryptoKey, "CryptoKey", "type", "extractable", "algorithm", "usages");

const keyFor = (key, name, use) => {
    if (!(key instanceof CryptoKey)) {
        throw new TypeError("crypto.subtle: that is no CryptoKey");
    }
    if (key.algorithm.name !== name || !key.usages.includes(use)) {
        throw cryptoError("InvalidAccessError", `crypto.subtle: the key is not for ${use} with ${name}`);
    }
    return keyBytes(key);
};

const keyMake = (bytes, algorithm, extractable, usages) => {
    const { name } = algorithm;
    const wanted = [...new Set(usages)];
    if (wanted.length === 0 || wanted.some((one) => !USES[name].includes(one))) {
        throw cryptoError("SyntaxError", `crypto.subtle: these are no usages of a key for ${name}`);
    }
    let shown = { name };
    if (name === "HMAC") {
        if (bytes.length === 0) {
            throw cryptoError("DataError", "crypto.subtle: the key is empty");
        }
        shown = { name, hash: { name: hashOf(algorithm.hash) }, length: bytes.length * 8 };
    } else if (name.startsWith("AES")) {
        if (!KEY_BITS.includes(bytes.length * 8)) {
            throw cryptoError("DataError", "crypto.subtle: a key of AES has 128, 192 or 256 bits");
        }
        shown = { name, length: bytes.length * 8 };
    } else if (extractable) {
        throw cryptoError("SyntaxError", `crypto.subtle: a key for ${name} cannot be extractable`);
    }
    return new CryptoKey(MADE_HERE, bytes, shown, Boolean(extractable), wanted);
};

// How many bits a key has when nobody says.
const keyLength = (algorithm) => {
    if (algorithm.name.startsWith("AES")) {
        if (!KEY_BITS.includes(Number(algorithm.length))) {
            throw cryptoError("OperationError", "crypto.subtle: a key of AES has 128, 192 or 256 bits");
        }
        return Number(algorithm.length);
    }
    const bits = algorithm.length ?? (HASHES[hashOf(algorithm.hash)] > 256 ? 1024 : 512);
    if (!(bits > 0) || bits % 8 !== 0) {
        throw cryptoError("OperationError", "crypto.subtle: that is no length of a key");
    }
    return Number(bits);
};

const fromBase64Url = (text) => {
    if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text)) {
        throw cryptoError("DataError", "crypto.subtle: the key is no JWK of the type oct");
    }
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (unit) => unit.charCodeAt(0));
};
const toBase64Url = (bytes) => btoa(native.latin1(bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

const gcm = (encrypts, algorithm, key, data) => {
    const bits = algorithm.tagLength === undefined ? 128 : Number(algorithm.tagLength);
    const iv = dataOf(algorithm.iv, "iv");
    if (!TAG_BITS.includes(bits) || iv.length === 0) {
        throw cryptoError("OperationError", "crypto.subtle: AES-GCM has an iv, and a tag of 32, 64 or 96 to 128 bits");
    }
    const more = algorithm.additionalData === undefined ? new Uint8Array(0) : dataOf(algorithm.additionalData, "additionalData");
    return native.aesGcm(encrypts, bits / 8, key, iv, data, more);
};

const cbc = (encrypts, algorithm, key, data) => {
    const iv = dataOf(algorithm.iv, "iv");
    if (iv.length !== IV_BYTES || (!encrypts && (data.length === 0 || data.length % IV_BYTES !== 0))) {
        throw cryptoError("OperationError", "crypto.subtle: AES-CBC has an iv of 16 bytes, and whole blocks");
    }
    return native.aesCbc(encrypts, key, iv, data);
};

const cipher = (encrypts, algorithm, key, value) => {
    const given = algorithmOf(algorithm, ["AES-GCM", "AES-CBC"]);
    const bytes = keyFor(key, given.name, encrypts ? "encrypt" : "decrypt");
    const data = dataOf(value);
    const made = given.name === "AES-GCM" ? gcm(encrypts, given, bytes, data) : cbc(encrypts, given, bytes, data);
    if (made === null) {
        throw cryptoError("OperationError", "The operation failed for an operation-specific reason");
    }
    return made.buffer;
};

const derive = (algorithm, key, length, use) => {
    const given = algorithmOf(algorithm, ["PBKDF2", "HKDF"]);
    const secret = keyFor(key, given.name, use);
    const hash = HASHES[hashOf(given.hash)];
    const salt = dataOf(given.salt, "salt");
    if (!Number.isInteger(length) || length < 0 || length % 8 !== 0 || length / 8 > DERIVED_BYTES_MAX) {
        throw cryptoError("OperationError", "crypto.subtle: the length is a number of whole bytes");
    }
    let made;
    if (given.name === "HKDF") {
        made = length / 8 > 255 * HASH_BITS[hash] / 8 ? null
            : native.hkdf(hash, secret, salt, dataOf(given.info, "info"), length / 8);
    } else {
        made = given.iterations >= 1 && given.iterations < 2 ** 32 ? native.pbkdf2(hash, secret, salt, given.iterations, length / 8) : null;
    }
    if (made === null) {
        throw cryptoError("OperationError", "crypto.subtle: so much cannot be derived");
    }
    return made;
};

const sameBytes = (one, other) => {
    let differ = one.length ^ other.length;
    for (let i = 0; i < one.length; i++) {
        differ |= one[i] ^ other[i % (other.length || 1)];
    }
    return differ === 0;
};

class SubtleCrypto {
    constructor(token) {
        if (token !== MADE_HERE) {
            throw new TypeError("Illegal constructor");
        }
    }

    async digest(algorithm, data) {
        return native.digest(HASHES[hashOf(algorithm)], dataOf(data)).buffer;
    }

    async importKey(format, data, algorithm, extractable, usages) {
        const given = algorithmOf(algorithm, Object.keys(USES));
        if (format === "raw") {
            return keyMake(dataOf(data, "the key").slice(), given, extractable, usages);
        }
        if (format === "jwk") {
            if (data?.kty !== "oct") {
                throw cryptoError("DataError", "crypto.subtle: the key is no JWK of the type oct");
            }
            return keyMake(fromBase64Url(data.k), given, extractable, usages);
        }
        throw unsupported(`a key in the format ${String(format)}`);
    }

    async exportKey(format, key) {
        if (!(key instanceof CryptoKey)) {
            throw new TypeError("crypto.subtle: that is no CryptoKey");
        }
        if (!key.extractable) {
            throw cryptoError("InvalidAccessError", "crypto.subtle: the key is not extractable");
        }
        const bytes = keyBytes(key);
        if (format === "raw") {
            return bytes.slice().buffer;
        }
        if (format === "jwk") {
            const { name, hash } = key.algorithm;
            const alg = name === "HMAC" ? `HS${HASHES[hash.name]}` : `A${bytes.length * 8}${name.slice(4)}`;
            return { key_ops: [...key.usages], ext: true, kty: "oct", k: toBase64Url(bytes), alg };
        }
        throw unsupported(`a key in the format ${String(format)}`);
    }

    async generateKey(algorithm, extractable, usages) {
        const given = algorithmOf(algorithm, ["HMAC", "AES-GCM", "AES-CBC"]);
        const bytes = new Uint8Array(keyLength(given) / 8);
        native.random(bytes);
        return keyMake(bytes, given, extractable, usages);
    }

    async sign(algorithm, key, data) {
        algorithmOf(algorithm, ["HMAC"]);
        const secret = keyFor(key, "HMAC", "sign");
        return native.hmac(HASHES[key.algorithm.hash.name], secret, dataOf(data)).buffer;
    }

    async verify(algorithm, key, signature, data) {
        algorithmOf(algorithm, ["HMAC"]);
        const secret = keyFor(key, "HMAC", "verify");
        const made = native.hmac(HASHES[key.algorithm.hash.name], secret, dataOf(data));
        return sameBytes(made, dataOf(signature, "the signature"));
    }

    async encrypt(algorithm, key, data) {
        return cipher(true, algorithm, key, data);
    }

    async decrypt(algorithm, key, data) {
        return cipher(false, algorithm, key, data);
    }

    async deriveBits(algorithm, key, length) {
        return derive(algorithm, key, length, "deriveBits").buffer;
    }

    async deriveKey(algorithm, key, wanted, extractable, usages) {
        const given = algorithmOf(wanted, ["HMAC", "AES-GCM", "AES-CBC"]);
        return keyMake(derive(algorithm, key, keyLength(given), "deriveKey"), given, extractable, usages);
    }

    async wrapKey() {
        throw unsupported("wrapKey");
    }

    async unwrapKey() {
        throw unsupported("unwrapKey");
    }
}
tagged(SubtleCrypto, "SubtleCrypto", "digest", "importKey", "exportKey", "generateKey", "sign", "verify", "encrypt", "decrypt",
    "deriveBits", "deriveKey", "wrapKey", "unwrapKey");
const subtle = new SubtleCrypto(MADE_HERE);

const RANDOM_MAX = 65536;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

class Crypto {
    constructor(token) {
        if (token !== MADE_HERE) {
            throw new TypeError("Illegal constructor");
        }
    }

    get subtle() {
        return subtle;
    }

    getRandomValues(array) {
        if (!ArrayBuffer.isView(array) || array instanceof DataView || array instanceof Float32Array ||
            array instanceof Float64Array) {
            throw new DOMException("The data argument must be an integer-type TypedArray", "TypeMismatchError");
        }
        if (array.byteLength > RANDOM_MAX) {
            throw new DOMException(
                `The requested length exceeds ${RANDOM_MAX} bytes`, "QuotaExceededError");
        }
        native.random(bytesOf(array));
        return array;
    }

    randomUUID() {
        const bytes = new Uint8Array(16);
        native.random(bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text = "";
        for (let i = 0; i < 16; i++) {
            text += (i === 4 || i === 6 || i === 8 || i === 10 ? "-" : "") + HEX[bytes[i]];
        }
        return text;
    }
}
tagged(Crypto, "Crypto", "subtle", "getRandomValues", "randomUUID");
const crypto = new Crypto(MADE_HERE);
