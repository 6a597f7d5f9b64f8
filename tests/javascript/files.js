const described = async (value) => (typeof value === "string" ? value
    : { file: value.name, type: value.type, size: value.size, text: await value.text() });
const formShown = (form) => Promise.all([...form].map(async ([name, value]) => [name, await described(value)]));
const multipart = (text, boundary = "b") => new Response(text.replaceAll("\n", "\r\n"), {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
}).formData().then(formShown);
const part = (head, body) => `--b\nContent-Disposition: form-data; ${head}\n\n${body}\n`;

test("blob", async () => {
    const blob = new Blob(["aé", new Uint8Array([1, 2]), new Uint16Array([3]).buffer, new Blob(["z"])], { type: "Text/X" });
    return [blob.size, blob.type, await blob.arrayBuffer()];
});
test("blob of nothing", () => [new Blob().size, new Blob([]).type, String(new Blob())]);
test("blob of no sequence", () => new Blob("text"));
test("blob of objects", () => new Blob([1, null, undefined, {}, []]).text());
each("blob type", ["a/b", "A/B;C=D", "é", "a\nb", "", null, 5], (type) => new Blob([], { type }).type);
each("blob slice", [[], [1], [1, 3], [-2], [-3, -1], [3, 1], [0, 100]], async (range) => {
    const blob = new Blob(["abcdef"], { type: "x/y" }).slice(...range);
    return [await blob.text(), blob.type];
});
test("blob slice with a type", () => new Blob(["abc"]).slice(0, 1, "A/B").type);
test("blob is a copy", async () => {
    const bytes = new Uint8Array([1, 2]);
    const blob = new Blob([bytes]);
    bytes[0] = 9;
    return blob.arrayBuffer();
});
test("blob stream", async () => {
    const parts = [];
    for await (const chunk of new Blob(["abc"]).stream()) {
        parts.push(...chunk);
    }
    return parts;
});
test("blob endings", () => new Blob(["a\r\nb\nc"], { endings: "native" }).text());
test("blob endings that are none", () => new Blob([], { endings: "other" }));
test("blob as a body", async () => {
    const answer = new Response(new Blob(["abc"], { type: "a/b" }));
    return [answer.headers.get("content-type"), await answer.text()];
});
test("blob of a body", async () => {
    const blob = await new Response("abc", { headers: { "content-type": "A/B" } }).blob();
    return [blob.type, blob.size, blob instanceof Blob];
});
test("blob of a body twice", async () => {
    const answer = new Response("abc");
    await answer.blob();
    return answer.blob();
});
test("file", async () => {
    const file = new File(["abc"], "a/b.txt", { type: "t/x", lastModified: 5 });
    return [file.name, file.lastModified, file.type, file.size, await file.text(), file instanceof Blob, String(file)];
});
test("file without a name", () => new File(["abc"]));
test("file of now", () => new File([], "x").lastModified > 1700000000000);
test("file cloned", async () => {
    const copy = structuredClone(new Blob(["abc"], { type: "a/b" }));
    return [copy instanceof Blob, copy.type, await copy.text()];
});

test("form", () => {
    const form = new FormData();
    form.append("a", "1");
    form.append("b", 2);
    form.append("a", "3");
    form.set("b", null);
    return [[...form], form.get("a"), form.getAll("a"), form.get("c"), form.has("b"), form.has("c"), String(form)];
});
test("form delete and set", () => {
    const form = new FormData();
    for (const [name, value] of [["a", "1"], ["b", "2"], ["a", "3"], ["c", "4"]]) {
        form.append(name, value);
    }
    form.set("a", "5");
    form.delete("c");
    return [[...form.keys()], [...form.values()], [...form.entries()]];
});
test("form for each", () => {
    const form = new FormData();
    const seen = [];
    form.append("a", "1");
    form.forEach((value, name, self) => seen.push(value, name, self === form));
    return seen;
});
test("form of surrogates", () => {
    const form = new FormData();
    form.append("\ud800", "\udc00");
    return [...form];
});
test("form with a blob", async () => {
    const form = new FormData();
    form.append("a", new Blob(["x"], { type: "a/b" }));
    form.append("b", new Blob(["y"]), "name.txt");
    form.append("c", new File(["z"], "own"));
    form.append("d", new File(["z"], "own", { type: "c/d" }), "other");
    return formShown(form);
});
test("form with a name and no blob", () => new FormData().append("a", "text", "name"));
test("form append of one argument", () => new FormData().append("a"));
test("form of a form", () => new FormData("x"));

test("form in a body", async () => {
    const form = new FormData();
    form.append("plain", "täxt\nwith\r\nlines");
    form.append('na"me\r\n', "1");
    form.append("file", new File([new Uint8Array([0, 255, 13, 10, 45, 45])], 'f"i\nle', { type: "a/b" }));
    form.append("empty", "");
    const request = new Request("http://x/", { method: "POST", body: form });
    const type = request.headers.get("content-type");
    return [type.startsWith("multipart/form-data; boundary=-"), await formShown(await request.formData())];
});
test("form in a body as text", async () => {
    const form = new FormData();
    form.append("a", "1");
    form.append("f", new File(["x"], "n"));
    const answer = new Response(form);
    const boundary = answer.headers.get("content-type").split("boundary=")[1];
    return (await answer.text()).replaceAll(boundary, "BOUNDARY").trim();
});
test("empty form in a body", async () => [...await new Response(new FormData()).formData()]);
test("multipart", () => multipart(part('name="a"', "one") + part('name="b"; filename="x.txt"\nContent-Type: a/b', "two") + "--b--\n"));
test("multipart without an end", () => multipart(part('name="a"', "one")));
test("multipart without a beginning", () => multipart("--\n"));
test("multipart of nothing", () => multipart(""));
test("multipart without a name", () => multipart(part("x", "one") + "--b--\n"));
test("multipart of utf-8", () => multipart(part('name="ä"', "ö") + part('name="f"; filename="ü.txt"', "ß") + "--b--\n"));
test("multipart of another boundary", () => multipart('--"q\nContent-Disposition: form-data; name="a"\n\n1\n--"q--\n', "other"));
test("multipart with an empty file", () => multipart(part('name="a"; filename=""\nContent-Type: application/octet-stream', "") + "--b--\n"));
each("urlencoded", ["a=1&b=2", "a+b=%C3%A4&c", "", "&&a&=x", "a=%zz"], async (text) => [...await new Response(text, {
    headers: { "content-type": "application/x-www-form-urlencoded;charset=UTF-8" },
}).formData()]);
test("form of parameters", async () => [...await new Response(new URLSearchParams({ a: "ä b" })).formData()]);
each("form of other types", ["text/plain", "", "multipart/form-data", "multipart/other; boundary=b"], (type) =>
    new Response("a=1", { headers: { "content-type": type } }).formData());
