// A service that others call in CBOR, and who calls such a service: test_calls.py has a pair of each with every language.
import { client, Failure, service as serve } from "mote";

export const service = serve({
    add(numbers) {
        if (!Number.isSafeInteger(numbers?.a) || !Number.isSafeInteger(numbers.b)) {
            throw new Failure("malformed");
        }
        return numbers.a + numbers.b;
    },

    describe({ name, numbers, fine }) {
        return { text: name, count: numbers.length, fine: !fine };
    },
});

export const ask = async (request) => {
    const other = client(new URL(request.url).searchParams.get("service"));
    let text = `sum ${await other.add({ unknown: [null, new Uint8Array([0xff])], a: -4000000000, b: 300 })}\n`;
    const described = await other.describe({ name: "zürich", numbers: [100000, 200000, 400000], fine: true });
    text += `${described.text} ${described.fine ? "fine" : "not fine"} ${described.count}\n`;
    for (const asked of [other.add(1), other.subtract()]) {
        text += `${await asked.then(() => "no failure", (error) => error.code)}\n`;
    }
    return new Response(text);
};
