// As bench/guests/javascript/hello.js, in one process for all requests. The port goes to standard output; it ends with its input.
import { createServer } from "node:http";

const server = createServer((request, response) => {
    response.setHeader("content-type", "text/plain;charset=UTF-8");
    response.end("hello\n");
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
