// Streams.
const read = async (stream) => {
    const out = [];
    for await (const one of stream) {
        out.push(one);
    }
    return out;
};
const numbers = (...list) => new ReadableStream({
    start(controller) {
        list.forEach((one) => controller.enqueue(one));
        controller.close();
    },
});

test("stream read", async () => read(numbers(1, 2, 3)));
test("stream reader", async () => {
    const reader = numbers("a").getReader();
    return [await reader.read(), await reader.read(), await reader.read()];
});
test("stream pull", async () => {
    let next = 0;
    return read(new ReadableStream({
        pull(controller) {
            controller.enqueue(next++);
            if (next === 4) {
                controller.close();
            }
        },
    }));
});
test("stream pull is slow", async () => {
    let next = 0;
    return read(new ReadableStream({
        async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            controller.enqueue(next++);
            if (next === 3) {
                controller.close();
            }
        },
    }));
});
test("stream locked", () => {
    const stream = numbers(1);
    const reader = stream.getReader();
    const locked = stream.locked;
    reader.releaseLock();
    return [locked, stream.locked];
});
test("stream locked twice", () => {
    const stream = numbers(1);
    stream.getReader();
    return stream.getReader();
});
test("stream error of start", async () => read(new ReadableStream({ start(c) { c.error(new RangeError("x")); } })));
test("stream start throws", () => new ReadableStream({ start() { throw new SyntaxError("x"); } }));
test("stream pull throws", async () => read(new ReadableStream({ pull() { throw new SyntaxError("x"); } })));
test("stream pull rejects", async () => read(new ReadableStream({ async pull() { throw new SyntaxError("x"); } })));
test("stream cancel", async () => {
    const told = [];
    const stream = new ReadableStream({ cancel(reason) { told.push(reason); } });
    await stream.cancel("why");
    return [told, await stream.getReader().read()];
});
test("stream cancel throws", async () => new ReadableStream({ cancel() { throw new RangeError("x"); } }).cancel());
test("stream cancel while locked", async () => {
    const stream = numbers(1);
    stream.getReader();
    return stream.cancel();
});
test("stream broken loop cancels", async () => {
    let told = "no";
    const stream = new ReadableStream({
        pull(controller) { controller.enqueue(1); },
        cancel() { told = "yes"; },
    });
    for await (const one of stream) {
        if (one) {
            break;
        }
    }
    return [told, stream.locked];
});
test("stream enqueue after close", () => new ReadableStream({ start(c) { c.close(); c.enqueue(1); } }));
test("stream close twice", () => new ReadableStream({ start(c) { c.close(); c.close(); } }));
test("stream desired size", () => {
    const seen = [];
    new ReadableStream({ start(c) { seen.push(c.desiredSize); c.enqueue(1); seen.push(c.desiredSize); } }, { highWaterMark: 3 });
    return seen;
});
test("stream strategy size", () => {
    let seen;
    new ReadableStream({ start(c) { c.enqueue("four"); seen = c.desiredSize; } }, { highWaterMark: 10, size: (one) => one.length });
    return seen;
});
test("stream bad high water mark", () => new ReadableStream({}, { highWaterMark: -1 }));
test("stream bad type", () => new ReadableStream({ type: "nonsense" }));
test("stream strategies", () => [new CountQueuingStrategy({ highWaterMark: 2 }).highWaterMark,
    new ByteLengthQueuingStrategy({ highWaterMark: 5 }).size(new Uint8Array(7))]);
test("stream tee", async () => {
    const [a, b] = numbers(1, 2).tee();
    return [await read(a), await read(b)];
});
test("stream tee error", async () => {
    const [a, b] = new ReadableStream({ pull() { throw new RangeError("x"); } }).tee();
    return Promise.allSettled([read(a), read(b)]).then((all) => all.map((one) => one.reason));
});
test("stream from", async () => read(ReadableStream.from([1, Promise.resolve(2)])));
test("stream from a generator", async () => read(ReadableStream.from((async function* make() { yield "a"; yield "b"; })())));
test("stream of bytes", async () => read(new ReadableStream({
    type: "bytes",
    start(controller) {
        controller.enqueue(new Uint8Array([1, 2]));
        controller.close();
    },
})));
test("stream closed promise", async () => {
    const reader = numbers().getReader();
    return reader.closed;
});
test("stream read after release", async () => {
    const reader = numbers(1).getReader();
    reader.releaseLock();
    return reader.read();
});
test("stream release rejects", async () => {
    const reader = new ReadableStream().getReader();
    const pending = reader.read();
    reader.releaseLock();
    return pending;
});

test("sink writes", async () => {
    const seen = [];
    const writer = new WritableStream({
        start() { seen.push("start"); },
        write(chunk) { seen.push(chunk); },
        close() { seen.push("close"); },
    }).getWriter();
    writer.write(1);
    writer.write(2);
    await writer.close();
    return seen;
});
test("sink waits", async () => {
    const seen = [];
    const writer = new WritableStream({
        async write(chunk) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            seen.push(chunk);
        },
    }).getWriter();
    const sizes = [writer.desiredSize];
    const one = writer.write("a");
    sizes.push(writer.desiredSize);
    await one;
    sizes.push(writer.desiredSize);
    await writer.ready;
    return [seen, sizes];
});
test("sink fails", async () => {
    const writer = new WritableStream({ write() { throw new RangeError("x"); } }).getWriter();
    return Promise.allSettled([writer.write(1), writer.closed]).then((all) => all.map((one) => one.reason));
});
test("sink fails later", async () => {
    const writer = new WritableStream({ async write() { throw new RangeError("x"); } }).getWriter();
    return Promise.allSettled([writer.write(1), writer.write(2), writer.close()]).then((all) => all.map((one) => one.reason));
});
test("sink abort", async () => {
    const told = [];
    const stream = new WritableStream({ abort(reason) { told.push(reason); } });
    await stream.abort("why");
    return told;
});
test("sink controller error", async () => {
    const writer = new WritableStream({ start(controller) { controller.error(new RangeError("x")); } }).getWriter();
    return writer.write(1);
});
test("sink closed twice", async () => {
    const writer = new WritableStream().getWriter();
    await writer.close();
    return writer.close();
});
test("sink locked twice", () => {
    const stream = new WritableStream();
    stream.getWriter();
    return stream.getWriter();
});
test("sink write after close", async () => {
    const writer = new WritableStream().getWriter();
    writer.close();
    return writer.write(1);
});

test("pipe to", async () => {
    const seen = [];
    await numbers(1, 2, 3).pipeTo(new WritableStream({ write(one) { seen.push(one); }, close() { seen.push("end"); } }));
    return seen;
});
test("pipe to without an end", async () => {
    const seen = [];
    const sink = new WritableStream({ close() { seen.push("end"); } });
    await numbers(1).pipeTo(sink, { preventClose: true });
    return [seen, sink.locked];
});
test("pipe from an error", async () => {
    const told = [];
    const source = new ReadableStream({ pull() { throw new RangeError("x"); } });
    const result = await source.pipeTo(new WritableStream({ abort(reason) { told.push(reason); } })).catch((error) => error);
    return [result, told];
});
test("pipe to an error", async () => {
    const told = [];
    const source = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(reason) { told.push(reason); } });
    const result = await source.pipeTo(new WritableStream({ write() { throw new RangeError("x"); } })).catch((error) => error);
    return [result, told];
});
test("pipe aborted", async () => {
    const controller = new AbortController();
    const piped = new ReadableStream().pipeTo(new WritableStream(), { signal: controller.signal });
    controller.abort();
    return piped;
});
test("transform", async () => read(numbers(1, 2).pipeThrough(new TransformStream({
    transform(one, controller) {
        controller.enqueue(one * 10);
        controller.enqueue(one * 10 + 1);
    },
    flush(controller) { controller.enqueue("end"); },
}))));
test("transform identity", async () => read(numbers("a", "b").pipeThrough(new TransformStream())));
test("transform throws", async () => read(numbers(1).pipeThrough(new TransformStream({ transform() { throw new RangeError("x"); } }))));
test("transform terminates", async () => read(numbers(1, 2, 3).pipeThrough(new TransformStream({
    transform(one, controller) {
        controller.enqueue(one);
        controller.terminate();
    },
}))));
test("text encoder stream", async () => read(numbers("a", "\ud83d", "\ude00").pipeThrough(new TextEncoderStream())));
test("text decoder stream", async () => read(numbers(new Uint8Array([0xe2, 0x98]), new Uint8Array([0x83, 97])).pipeThrough(new TextDecoderStream())));
