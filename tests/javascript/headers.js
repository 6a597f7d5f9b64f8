// Headers, Request, Response.
each("headers of", [
    { a: "1", B: "2" }, [["a", "1"], ["A", "2"]], {}, [["x"]], [["x", "y", "z"]], { "bad name": "x" }, { a: "bad\nvalue" },
    { a: " trimmed\t" }, { a: "" }, { "": "x" }, { "content-type": "text/html" }, [["set-cookie", "a=1"], ["Set-Cookie", "b=2"]],
    { a: "ü" }, { a: "☃" }, { "x-number": 5, "x-null": null }, [["b", "2"], ["a", "1"], ["b", "3"]],
], (init) => [...new Headers(init)]);
test("headers of headers", () => [...new Headers(new Headers({ a: "1" }))]);
test("headers of a map", () => [...new Headers(new Map([["k", "v"]]))]);
test("headers of null", () => new Headers(null));
test("headers of a text", () => new Headers("a: b"));
test("headers of undefined", () => [...new Headers(undefined)]);
test("headers change", () => {
    const headers = new Headers({ a: "1", b: "2" });
    headers.append("A", "3");
    headers.set("b", "x");
    headers.append("c", "y");
    headers.delete("nothing");
    return [headers.get("a"), headers.get("B"), headers.get("z"), headers.has("C"), [...headers]];
});
test("headers delete", () => {
    const headers = new Headers([["a", "1"], ["a", "2"], ["b", "3"]]);
    headers.delete("A");
    return [...headers];
});
test("headers set joins", () => {
    const headers = new Headers([["a", "1"], ["b", "2"], ["a", "3"]]);
    headers.set("a", "new");
    return [...headers];
});
test("headers cookies", () => {
    const headers = new Headers();
    headers.append("set-cookie", "a=1");
    headers.append("x", "y");
    headers.append("set-cookie", "b=2, c");
    return [headers.getSetCookie(), headers.get("set-cookie"), [...headers]];
});
test("headers walk", () => {
    const headers = new Headers({ b: "2", a: "1" });
    const seen = [];
    headers.forEach((value, name, self) => seen.push(value, name, self === headers));
    return [[...headers.keys()], [...headers.values()], seen];
});
test("headers bad name of get", () => new Headers().get("a b"));
test("headers bad name of has", () => new Headers().has(""));
test("headers need arguments", () => new Headers().set("a"));
test("headers tag", () => Object.prototype.toString.call(new Headers()));

each("response status", [200, 201, 204, 299, 300, 404, 500, 599, 199, 600, 0, 99, 1000, "201", 200.7, NaN], (status) => {
    const response = new Response(null, { status });
    return [response.status, response.ok, response.statusText];
});
test("response of a text", async () => {
    const response = new Response("héllo");
    return [response.headers.get("content-type"), response.bodyUsed, await response.text(), response.bodyUsed];
});
test("response read twice", async () => {
    const response = new Response("x");
    await response.text();
    return response.text();
});
test("response of nothing", async () => [new Response().body, await new Response().text(), [...new Response().headers]]);
test("response of bytes", async () => {
    const response = new Response(new Uint8Array([1, 2, 255]));
    return [response.headers.get("content-type"), await response.arrayBuffer()];
});
test("response of a buffer", async () => new Response(new Uint8Array([65, 66]).buffer).text());
test("response of params", async () => {
    const response = new Response(new URLSearchParams({ a: "b c" }));
    return [response.headers.get("content-type"), await response.text()];
});
test("response of a number", async () => new Response(5).text());
test("response of an object", async () => new Response({}).text());
test("response keeps its type", () => new Response("x", { headers: { "Content-Type": "text/html" } }).headers.get("content-type"));
test("response with a body and 204", () => new Response("x", { status: 204 }));
test("response with null and 304", () => new Response(null, { status: 304 }).status);
test("response json", async () => {
    const response = Response.json({ a: [1, null] }, { status: 201 });
    return [response.status, response.headers.get("content-type"), await response.json()];
});
test("response json of undefined", () => Response.json(undefined));
test("response json keeps its type", () => Response.json(1, { headers: { "content-type": "x/y" } }).headers.get("content-type"));
test("response redirect", () => {
    const response = Response.redirect("https://example.com/ü", 301);
    return [response.status, response.headers.get("location")];
});
test("response redirect bad", () => Response.redirect("https://example.com/", 200));
test("response error", () => [Response.error().type, Response.error().status]);
test("response broken json", () => new Response("{").json());
test("response byte order mark", async () => {
    const text = await new Response(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).text();
    return [text, text.length];
});
test("response invalid utf-8", async () => new Response(new Uint8Array([0x61, 0xff, 0xc3])).text());
test("response clone", async () => {
    const response = new Response("same", { status: 202, headers: { a: "b" } });
    const copy = response.clone();
    return [await response.text(), await copy.text(), copy.status, copy.headers.get("a"), copy.bodyUsed];
});
test("response clone of what was read", async () => {
    const response = new Response("x");
    await response.text();
    return response.clone();
});
test("response stream", async () => {
    const stream = new ReadableStream({
        start(controller) {
            controller.enqueue(new TextEncoder().encode("a"));
            controller.enqueue(new TextEncoder().encode("b"));
            controller.close();
        },
    });
    const response = new Response(stream);
    return [response.body === stream, await response.text(), response.bodyUsed];
});
test("response stream of texts", () => new Response(new ReadableStream({
    start(controller) {
        controller.enqueue("text");
        controller.close();
    },
})).text());
test("response of a locked stream", () => {
    const stream = new ReadableStream();
    stream.getReader();
    return new Response(stream);
});
test("response body is a stream", async () => {
    const chunks = [];
    for await (const chunk of new Response("chunk").body) {
        chunks.push(...chunk);
    }
    return chunks;
});

test("request plain", () => {
    const request = new Request("http://Example.com/a b?c#d");
    return [request.method, request.url, [...request.headers], request.body, request.redirect];
});
each("request method", ["get", "POST", "patch", "Put", "delete", "options", "head", "custom", "CONNECT", "trace", "b d", ""],
    (method) => new Request("http://x/", { method }).method);
test("request body", async () => {
    const request = new Request("http://x/", { method: "POST", body: "text" });
    return [request.headers.get("content-type"), request.bodyUsed, await request.text(), request.bodyUsed];
});
test("request get with a body", () => new Request("http://x/", { body: "text" }));
test("request of a relative url", () => new Request("/x"));
test("request with credentials", () => new Request("http://u:p@x/"));
test("request of a request", async () => {
    const first = new Request("http://x/", { method: "POST", body: "b", headers: { a: "1" } });
    const second = new Request(first, { headers: { c: "2" } });
    return [second.method, second.url, [...second.headers.keys()].includes("a"), await second.text(), first.bodyUsed];
});
test("request of a used request", async () => {
    const first = new Request("http://x/", { method: "POST", body: "b" });
    await first.text();
    return new Request(first);
});
test("request clone", async () => {
    const request = new Request("http://x/", { method: "PUT", body: "b" });
    const copy = request.clone();
    return [await request.text(), await copy.text(), copy.method];
});
test("request json", async () => new Request("http://x/", { method: "POST", body: '{"a":1}' }).json());
test("request bad redirect", () => new Request("http://x/", { redirect: "never" }));
test("request signal", () => {
    const controller = new AbortController();
    const request = new Request("http://x/", { signal: controller.signal });
    controller.abort();
    return [request.signal.aborted, request.signal.reason];
});
