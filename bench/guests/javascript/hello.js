// As bench/peers/node/hello.mjs.
export default {
    fetch() {
        return new Response("hello\n");
    },
};
