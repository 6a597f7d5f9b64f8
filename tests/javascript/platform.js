// Events, signals, clones, timers, errors.
test("event", () => {
    const target = new EventTarget();
    const seen = [];
    target.addEventListener("x", (event) => seen.push(event.type, event.target === target));
    target.addEventListener("x", { handleEvent: () => seen.push("object") });
    target.addEventListener("x", () => seen.push("once"), { once: true });
    target.dispatchEvent(new Event("x"));
    target.dispatchEvent(new Event("x"));
    return seen;
});
test("event removed", () => {
    const target = new EventTarget();
    const seen = [];
    const listener = () => seen.push(1);
    target.addEventListener("x", listener);
    target.addEventListener("x", listener);
    target.dispatchEvent(new Event("x"));
    target.removeEventListener("x", listener);
    target.dispatchEvent(new Event("x"));
    return seen;
});
test("event prevented", () => {
    const target = new EventTarget();
    target.addEventListener("x", (event) => event.preventDefault());
    return [target.dispatchEvent(new Event("x")), target.dispatchEvent(new Event("x", { cancelable: true }))];
});
test("event stopped", () => {
    const target = new EventTarget();
    const seen = [];
    target.addEventListener("x", (event) => { seen.push(1); event.stopImmediatePropagation(); });
    target.addEventListener("x", () => seen.push(2));
    target.dispatchEvent(new Event("x"));
    return seen;
});
test("event is none", () => new EventTarget().dispatchEvent({ type: "x" }));
test("abort", () => {
    const controller = new AbortController();
    const seen = [];
    controller.signal.addEventListener("abort", () => seen.push("listener"));
    controller.signal.onabort = () => seen.push("handler");
    controller.abort("why");
    controller.abort("again");
    return [controller.signal.aborted, controller.signal.reason, seen];
});
test("abort without a reason", () => {
    const signal = AbortSignal.abort();
    return [signal.aborted, signal.reason.name, signal.reason instanceof DOMException];
});
test("abort throws", () => AbortSignal.abort(new RangeError("x")).throwIfAborted());
test("abort any", () => {
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, new AbortController().signal]);
    const before = signal.aborted;
    controller.abort(5);
    return [before, signal.aborted, signal.reason];
});
test("abort timeout", async () => {
    const signal = AbortSignal.timeout(1);
    const timer = setTimeout(() => {}, 100000);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    clearTimeout(timer);
    return signal.reason.name;
});
test("signal is made by a controller", () => new AbortSignal());
test("clone of values", () => structuredClone([1, "x", null, undefined, true, 12n, { a: { b: [] } }]));
test("clone of a date", () => structuredClone(new Date(5)).getTime());
test("clone of maps", () => structuredClone(new Map([["a", new Set([1, 2])]])));
test("clone of bytes", () => structuredClone(new Uint8Array([1, 2, 3])));
test("clone of a buffer", () => structuredClone(new Uint8Array([4, 5]).buffer));
test("clone of a circle", () => {
    const value = { name: "x" };
    value.self = value;
    const copy = structuredClone(value);
    return [copy !== value, copy.self === copy];
});
test("clone of an error", () => {
    const copy = structuredClone(new RangeError("message"));
    return [copy instanceof RangeError, copy.message];
});
test("clone of a function", () => structuredClone(() => 1));
test("clone of a symbol", () => structuredClone(Symbol("x")));
test("clone of a regular expression", () => String(structuredClone(/a+/gi)));
test("clone leaves prototypes", () => {
    class Point { constructor() { this.x = 1; } }
    return Object.getPrototypeOf(structuredClone(new Point())) === Object.prototype;
});
test("timers in order", async () => {
    const seen = [];
    setTimeout(() => seen.push("late"), 400);
    setTimeout(() => seen.push("soon"), 1);
    queueMicrotask(() => seen.push("micro"));
    await new Promise((resolve) => setTimeout(resolve, 500));
    return seen;
});
test("timer with arguments", () => new Promise((resolve) => { setTimeout((...list) => resolve(list), 1, "a", 2); }));
test("timer cleared", async () => {
    let ran = false;
    clearTimeout(setTimeout(() => { ran = true; }, 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    return ran;
});
test("interval", () => new Promise((resolve) => {
    let count = 0;
    const id = setInterval(() => {
        count++;
        if (count === 3) {
            clearInterval(id);
            resolve(count);
        }
    }, 1);
}));
test("timer of no function", () => setTimeout("code", 1));
test("dom exception", () => {
    const error = new DOMException("message", "NotFoundError");
    return [error.name, error.message, error.code, error instanceof Error];
});
test("random values", () => {
    const bytes = crypto.getRandomValues(new Uint8Array(64));
    return [bytes.length, new Set(bytes).size > 8];
});
test("random values of floats", () => crypto.getRandomValues(new Float32Array(2)));
test("random values of too many", () => crypto.getRandomValues(new Uint8Array(65537)));
test("random uuid", () => [/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
    crypto.randomUUID() === crypto.randomUUID()]);
test("clock goes on", () => performance.now() <= performance.now());
test("now is now", () => Date.now() > 1700000000000);
test("math random", () => [Math.random() === Math.random(), Math.random() < 1, Math.random() >= 0]);
