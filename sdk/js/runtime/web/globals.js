// What every script finds.

Object.defineProperty(Math, "random", { value: native.randomNumber, writable: true, configurable: true });

for (const [name, value] of Object.entries({
    AbortController, AbortSignal, Blob, ByteLengthQueuingStrategy, CountQueuingStrategy, Crypto, CryptoKey, CustomEvent, Event, EventTarget,
    File, FormData, Headers, ReadableByteStreamController, ReadableStream, ReadableStreamDefaultController, ReadableStreamDefaultReader,
    Request, Response, SubtleCrypto, TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream, TransformStream,
    TransformStreamDefaultController, URL, URLSearchParams, WritableStream, WritableStreamDefaultController,
    WritableStreamDefaultWriter, clearImmediate: timerStop, clearInterval: timerStop, clearTimeout: timerStop, console, crypto,
    fetch, performance, queueMicrotask, reportError, self: globalThis, setImmediate, setInterval, setTimeout,
    structuredClone, navigator: { userAgent: "mote" },
})) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}

return { prepare, adopt, begin, turn, failed, rejected, explain: errorExplain, mote };
