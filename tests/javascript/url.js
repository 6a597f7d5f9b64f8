// URL and URLSearchParams.
const parts = (url) => [url.href, url.origin, url.protocol, url.username, url.password, url.host, url.hostname, url.port,
    url.pathname, url.search, url.hash];

each("url", [
    "http://example.com", "https://EXAMPLE.com:443/a/../b/./c", "http://example.com:80", "http://example.com:8080/?",
    "http://user:pa%20ss@example.com/", "http://user@example.com", "http://[::1]:3000/x", "http://[2001:db8::0:1]/",
    "http://192.168.0.1/", "http://0x7f.1/", "http://256.256.256.256/", "http://1.2.3/", "https://bücher.example/ü?ü#ü",
    "https://faß.example", "http://例え.テスト/", "http://xn--bcher-kva.example/", "ftp://host/file", "file:///etc/passwd",
    "file://host/share", "file:c:\\windows", "data:text/plain,hello world", "mailto:a@b.example", "javascript:alert(1)",
    "blob:https://example.com/uuid", "ws://host:80/chat", "wss://host:443/", "http://a b/", "http://", "http:///x",
    "//no-scheme/", "/path", "", "http://ex%41mple.com/", "http://ex%2fample.com", "http://example.com/%7Efoo/../%7ebar",
    "http://example.com/a b?c d#e f", "http://example.com\\back\\slash", "  http://example.com/  ", "http://exa\tmple.com/",
    "http://example.com/?a=b&c=d#frag", "http://example.com:65535/", "http://example.com:65536/", "http://example.com:x/",
    "non-special://host/path/../x", "non-special:opaque path", "http://a..b/", "http://a_b/", "http://[1::2::3]/",
    "http://user:@host/", "http://:pass@host/", "http://@host/", "https://example.com/?q='\"<>`", "https://example.com/#'\"<>`",
    "https://example.com/{}|^`", "HTTP://X/Y", "a:b", "1a:b", "http://host/\u{1F600}",
], (text) => parts(new URL(text)));

each("url with base", [
    ["x", "http://a/b/c/d;p?q"], ["./x", "http://a/b/c/d;p?q"], ["x/", "http://a/b/c/d;p?q"], ["/x", "http://a/b/c/d;p?q"],
    ["//x", "http://a/b/c/d;p?q"], ["?y", "http://a/b/c/d;p?q"], ["x?y", "http://a/b/c/d;p?q"], ["#s", "http://a/b/c/d;p?q"],
    ["../x", "http://a/b/c/d;p?q"], ["../../../x", "http://a/b/c/d;p?q"], ["", "http://a/b/c/d;p?q"],
    ["http:x", "http://a/b/c/"], ["https:x", "http://a/b/c/"], ["x", "mailto:a@b"], ["#f", "mailto:a@b"], ["x", "no url"],
    ["..", "file:///c:/a/b"], ["/..//x", "http://a/"],
], ([text, base]) => parts(new URL(text, base)));

each("url set", [
    ["protocol", "https"], ["protocol", "ftp:"], ["protocol", "foo"], ["username", "me"], ["username", "a b:c"],
    ["password", "p@ss"], ["host", "other.example:81"], ["host", "bad host"], ["hostname", "x.example"], ["hostname", "[::2]"],
    ["port", "81"], ["port", "80"], ["port", ""], ["port", "99999"], ["port", "12x"], ["pathname", "a/../b c"], ["pathname", ""],
    ["search", "x=1&y=ü"], ["search", "?"], ["search", ""], ["hash", "frag ment"], ["hash", ""], ["href", "https://new/"],
    ["href", "broken"], ["origin", "https://x"],
], ([name, value]) => {
    const url = new URL("http://u:p@example.com:8080/p/q?s=1#h");
    try {
        url[name] = value;
    } catch (error) {
        return [error.name, ...parts(url)];
    }
    return parts(url);
});

each("params of", [
    "", "?", "a=1", "?a=1&b=2", "a=1&a=2", "a", "=b", "=", "&&&", "a=b=c", "a+b=c%20d", "%41=%42", "a=%", "a=%zz", "a=%e2%98%83",
    "a=%ff", "ü=ö", "a=\u{1F600}", "a=\ud800", "x=1&y=2&x=3",
], (text) => {
    const params = new URLSearchParams(text);
    return [[...params], params.toString(), params.size];
});

test("params of a record", () => new URLSearchParams({ a: 1, b: "x y", ü: "&=" }).toString());
test("params of pairs", () => new URLSearchParams([["a", "1"], ["a", "2"]]).toString());
test("params of params", () => new URLSearchParams(new URLSearchParams("a=1&b=2")).toString());
test("params of a map", () => new URLSearchParams(new Map([["k", "v"]])).toString());
test("params of a triple", () => new URLSearchParams([["a", "b", "c"]]));
test("params of a number", () => new URLSearchParams(5).toString());
test("params get", () => {
    const params = new URLSearchParams("a=1&a=2&b=3");
    return [params.get("a"), params.get("c"), params.getAll("a"), params.getAll("c"), params.has("b"), params.has("a", "2"),
        params.has("a", "3")];
});
test("params change", () => {
    const params = new URLSearchParams("a=1&b=2&a=3&c=4");
    params.set("a", "x");
    params.append("d", "y");
    params.delete("b");
    params.set("new", "z");
    return params.toString();
});
test("params delete by value", () => {
    const params = new URLSearchParams("a=1&a=2&a=1");
    params.delete("a", "1");
    return params.toString();
});
test("params sort", () => {
    const params = new URLSearchParams("z=1&a=2&z=0&\u{1F600}=3&\uff00=4");
    params.sort();
    return params.toString();
});
test("params iterators", () => {
    const params = new URLSearchParams("a=1&b=2");
    const seen = [];
    params.forEach((value, key, self) => seen.push(value, key, self === params));
    return [[...params.keys()], [...params.values()], [...params.entries()], seen];
});
test("params deleted while walking", () => {
    const params = new URLSearchParams("a=1&b=2&c=3");
    const seen = [];
    for (const [key] of params) {
        seen.push(key);
        params.delete("b");
    }
    return seen;
});
test("params of a url", () => {
    const url = new URL("http://x/?a=1");
    url.searchParams.append("b", "ü ");
    const first = url.href;
    url.search = "?c=3";
    return [first, url.searchParams.get("a"), url.searchParams.get("c"), url.searchParams === url.searchParams];
});
test("params emptied", () => {
    const url = new URL("http://x/?a=1#h");
    url.searchParams.delete("a");
    return url.href;
});
test("params need arguments", () => new URLSearchParams().append("a"));
test("url as text", () => [`${new URL("http://x/y")}`, JSON.stringify({ u: new URL("http://x/y") })]);
test("url can parse", () => [URL.canParse("http://x"), URL.canParse("x"), URL.canParse("x", "http://y/")]);
test("url without new", () => URL("http://x"));
test("url tags", () => [Object.prototype.toString.call(new URL("a:b")), String(Object.prototype.toString.call(new URLSearchParams()))]);
