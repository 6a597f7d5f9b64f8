const utf8 = (text) => new TextEncoder().encode(text);
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const { subtle } = crypto;
const hmacKey = (hash, text = "key", uses = ["sign", "verify"]) => subtle.importKey("raw", utf8(text), { name: "HMAC", hash }, true, uses);
const aesKey = (name, bits = 128, uses = ["encrypt", "decrypt"]) =>
    subtle.importKey("raw", Uint8Array.from({ length: bits / 8 }, (_, i) => i), name, true, uses);
const keyShown = (key) => [key.type, key.extractable, key.algorithm, key.usages];

each("digest", ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "sha-256", { name: "Sha-1" }, "MD5", "SHA-224", "", null, {}],
    async (name) => hex(await subtle.digest(name, utf8("abc"))));
test("digest of nothing", async () => hex(await subtle.digest("SHA-256", new Uint8Array(0))));
test("digest of much", async () => hex(await subtle.digest("SHA-512", new Uint8Array(100000).fill(7))));
test("digest of a view", async () => hex(await subtle.digest("SHA-1", new DataView(utf8("xabcx").buffer, 1, 3))));
test("digest of text", () => subtle.digest("SHA-1", "abc"));
test("digest is a buffer", async () => (await subtle.digest("SHA-1", utf8(""))).constructor.name);

each("hmac", ["SHA-1", "SHA-256", "SHA-384", "SHA-512"], async (hash) =>
    hex(await subtle.sign("HMAC", await hmacKey(hash), utf8("The quick brown fox"))));
test("hmac with a long key", async () => hex(await subtle.sign("HMAC", await hmacKey("SHA-256", "k".repeat(200)), utf8("data"))));
test("hmac verified", async () => {
    const key = await hmacKey("SHA-256");
    const good = await subtle.sign("HMAC", key, utf8("data"));
    const bad = good.slice(0);
    new Uint8Array(bad)[31] ^= 1;
    return Promise.all([subtle.verify("HMAC", key, good, utf8("data")), subtle.verify("HMAC", key, bad, utf8("data")),
        subtle.verify("HMAC", key, good.slice(0, 31), utf8("data")), subtle.verify("HMAC", key, good, utf8("date")),
        subtle.verify("HMAC", key, new Uint8Array(0), utf8("data"))]);
});
test("hmac key", async () => keyShown(await hmacKey("SHA-384")));
test("hmac key exported", async () => hex(await subtle.exportKey("raw", await hmacKey("SHA-1", "abc"))));
test("hmac key as jwk", async () => subtle.exportKey("jwk", await hmacKey("SHA-256", "ab?>~")));
test("hmac key of jwk", async () => hex(await subtle.exportKey("raw",
    await subtle.importKey("jwk", { kty: "oct", k: "YWI_Pn4" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]))));
test("hmac key without a hash", () => subtle.importKey("raw", utf8("a"), "HMAC", true, ["sign"]));
test("hmac key of another hash", () => hmacKey("MD5"));
test("hmac key without uses", () => hmacKey("SHA-1", "a", []));
test("hmac key of other uses", () => hmacKey("SHA-1", "a", ["encrypt"]));
test("hmac key that only verifies", async () => subtle.sign("HMAC", await hmacKey("SHA-1", "a", ["verify"]), utf8("")));
test("hmac with a key of aes", async () => subtle.sign("HMAC", await aesKey("AES-GCM"), utf8("")));
test("hmac key made", async () => {
    const key = await subtle.generateKey({ name: "HMAC", hash: "SHA-512" }, true, ["sign"]);
    return [key.algorithm.length, key.algorithm.hash, key.usages, (await subtle.exportKey("raw", key)).byteLength];
});
test("key of no key", () => subtle.sign("HMAC", {}, utf8("")));
test("sign with another", async () => subtle.sign("NOPE", await hmacKey("SHA-1"), utf8("")));

for (const name of ["AES-GCM", "AES-CBC"]) {
    const iv = Uint8Array.from({ length: name === "AES-GCM" ? 12 : 16 }, (_, i) => i * 3);
    for (const bits of [128, 192, 256]) {
        test(`${name} ${bits}`, async () => {
            const key = await aesKey(name, bits);
            const made = await subtle.encrypt({ name, iv }, key, utf8("attack at dawn, or a little later"));
            return [hex(made), new TextDecoder().decode(await subtle.decrypt({ name, iv }, key, made))];
        });
    }
    test(`${name} of nothing`, async () => {
        const key = await aesKey(name);
        const made = await subtle.encrypt({ name, iv }, key, utf8(""));
        return [hex(made), (await subtle.decrypt({ name, iv }, key, made)).byteLength];
    });
    test(`${name} key`, async () => keyShown(await aesKey(name, 192)));
    test(`${name} key as jwk`, async () => subtle.exportKey("jwk", await aesKey(name, 256)));
    test(`${name} key of a wrong size`, () => aesKey(name, 40));
    test(`${name} key for another`, async () => subtle.encrypt({ name, iv }, await hmacKey("SHA-1"), utf8("")));
    test(`${name} without an iv`, async () => subtle.encrypt({ name }, await aesKey(name), utf8("")));
    test(`${name} of what is too short`, async () => subtle.decrypt({ name, iv }, await aesKey(name), utf8("short")));
    test(`${name} of what was changed`, async () => {
        const key = await aesKey(name);
        const made = new Uint8Array(await subtle.encrypt({ name, iv }, key, utf8("data")));
        made[made.length - 1] ^= 0x80;
        return subtle.decrypt({ name, iv }, key, made);
    });
}
test("AES-GCM with more", async () => {
    const key = await aesKey("AES-GCM");
    const algorithm = { name: "AES-GCM", iv: new Uint8Array(20), additionalData: utf8("more"), tagLength: 96 };
    const made = await subtle.encrypt(algorithm, key, utf8("data"));
    const other = await subtle.decrypt({ ...algorithm, additionalData: utf8("less") }, key, made).catch((error) => error);
    return [hex(made), new TextDecoder().decode(await subtle.decrypt(algorithm, key, made)), other];
});
test("AES-GCM with a tag that is none", async () =>
    subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12), tagLength: 40 }, await aesKey("AES-GCM"), utf8("")));
test("AES-CBC with a short iv", async () => subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(12) }, await aesKey("AES-CBC"), utf8("")));

const secret = (name, uses = ["deriveBits", "deriveKey"]) => subtle.importKey("raw", utf8("password"), name, false, uses);
each("pbkdf2", ["SHA-1", "SHA-256", "SHA-512"], async (hash) => hex(await subtle.deriveBits(
    { name: "PBKDF2", hash, salt: utf8("salt"), iterations: 100 }, await secret("PBKDF2"), 320)));
test("pbkdf2 of no rounds", async () => subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: utf8(""), iterations: 0 },
    await secret("PBKDF2"), 128));
test("pbkdf2 of bits", async () => subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: utf8(""), iterations: 1 },
    await secret("PBKDF2"), 5));
test("pbkdf2 key", async () => keyShown(await secret("PBKDF2")));
test("pbkdf2 key that can be had", () => subtle.importKey("raw", utf8("x"), "PBKDF2", true, ["deriveBits"]));
each("hkdf", ["SHA-1", "SHA-256", "SHA-512"], async (hash) => hex(await subtle.deriveBits(
    { name: "HKDF", hash, salt: utf8("salt"), info: utf8("info") }, await secret("HKDF"), 512)));
test("hkdf of too much", async () => subtle.deriveBits({ name: "HKDF", hash: "SHA-1", salt: utf8(""), info: utf8("") },
    await secret("HKDF"), 8 * 255 * 20 + 8));
test("derived key", async () => {
    const key = await subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt: utf8("salt"), iterations: 10 }, await secret("PBKDF2"),
        { name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    return [keyShown(key), hex(await subtle.exportKey("raw", key))];
});
test("key of another algorithm", () => subtle.importKey("raw", utf8("x"), "NOPE", true, ["sign"]));
test("crypto's names", () => [String(crypto), String(subtle), typeof CryptoKey, typeof SubtleCrypto]);
test("crypto's constructors", () => new SubtleCrypto());
