// A JSON API. Each handler runs in a fresh copy of this script, loaded already.
import { param } from "mote";

const fail = (status, error) => Response.json({ error }, { status });

// GET /api/status
export const status = () => Response.json({ app: "__NAME__", time: Math.floor(Date.now() / 1000) });

// GET /api/square/:n
export const square = () => {
    const n = Number(param("n"));
    if (!Number.isInteger(n) || n < 0 || n > 1000000) {
        return fail(400, "n is a number up to 1000000");
    }
    return Response.json({ n, square: n * n });
};

// POST /api/sum: adds the numbers of a body as "1 2 39".
export const sum = async (request) => {
    const words = (await request.text()).split(/\s+/).filter((word) => word !== "");
    const numbers = words.map(Number);
    if (!numbers.every(Number.isFinite)) {
        return fail(400, "numbers with spaces between them are wanted");
    }
    return Response.json({ count: numbers.length, sum: numbers.reduce((total, one) => total + one, 0) });
};
