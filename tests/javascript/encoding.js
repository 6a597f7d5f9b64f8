// TextEncoder, TextDecoder, atob, btoa.
each("encode", ["", "abc", "ü", "☃", "\u{1F600}", "\ud800", "a\udc00b", "\u0000", "\ufeffx", undefined, null, 12],
    (text) => new TextEncoder().encode(text));
each("decode", [
    [], [97, 98], [0xc3, 0xbc], [0xe2, 0x98, 0x83], [0xf0, 0x9f, 0x98, 0x80], [0xff], [0xc3], [0xc3, 0x28], [0xe2, 0x98],
    [0xe2, 0x28, 0xa1], [0xf0, 0x9f, 0x98], [0xf0, 0x28, 0x8c, 0xbc], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x80], [0xef, 0xbb, 0xbf, 0x61], [0x61, 0xef, 0xbb, 0xbf],
    [0xef, 0xbb], [0x61, 0xff, 0x62, 0xfe, 0x63],
], (bytes) => [...new TextDecoder().decode(new Uint8Array(bytes))].map((one) => one.codePointAt(0)));
each("decode fatal", [[97], [0xff], [0xc3], [0xed, 0xa0, 0x80], [0xef, 0xbb, 0xbf, 0x61]],
    (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes)));
each("decode utf-16", [[97, 0], [0x3d, 0xd8, 0, 0xde], [0, 0xd8], [97], [0xff, 0xfe, 97, 0]],
    (bytes) => [...new TextDecoder("utf-16le").decode(new Uint8Array(bytes))].map((one) => one.codePointAt(0)));
each("decoder named", ["utf-8", "UTF8", " unicode-1-1-utf-8 ", "utf-16", "utf-16le", "nonsense", ""],
    (label) => new TextDecoder(label).encoding);
test("decode ignores no mark", () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).length);
each("decode a stream", [
    [[0xe2], [0x98], [0x83]], [[0xf0, 0x9f], [0x98, 0x80]], [[0xe2, 0x98], [0x61]], [[0xc3], []], [[0x61], [0xff], [0x62]],
    [[0xef], [0xbb, 0xbf], [0x61]], [[0xf0], [0x28]],
], (chunks) => {
    const decoder = new TextDecoder();
    const out = chunks.map((one) => decoder.decode(new Uint8Array(one), { stream: true }));
    out.push(decoder.decode());
    return out;
});
test("decode of views", () => [
    new TextDecoder().decode(new Uint8Array([97, 98, 99]).buffer),
    new TextDecoder().decode(new Uint8Array([97, 98, 99]).subarray(1)),
    new TextDecoder().decode(new DataView(new Uint8Array([97, 98, 99]).buffer, 1, 1)),
]);
test("decode of a text", () => new TextDecoder().decode("text"));
test("encode into", () => {
    const target = new Uint8Array(4);
    return [new TextEncoder().encodeInto("aü☃", target), [...target]];
});
each("btoa", ["", "a", "ab", "abc", "\xff\x00", "☃"], (text) => btoa(text));
each("atob", ["", "YQ==", "YQ", "YWJj", " YW Jj ", "Y", "YQ=", "****", "YQ==="], (text) => [...atob(text)].map((one) => one.charCodeAt(0)));
