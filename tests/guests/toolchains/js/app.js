// A web app for componentize-js: a hello, an echo, a crash, a request to somebody else.
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/echo":
      return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
    case "/crash":
      throw new TypeError("on purpose");
    case "/fetch":
      return ask(url.searchParams.get("url"));
    default:
      return new Response("hello from JavaScript\n", { headers: { "content-type": "text/plain" } });
  }
}

async function ask(url) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    return new Response(`refused: ${error.message}\n`, { status: 403 });
  }
  return new Response(response.body, { status: response.status, headers: { "x-from": "elsewhere" } });
}
