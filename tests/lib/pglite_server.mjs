// pglite_server.mjs FOLDER PORT PGLITE EXTENSION NAME - PGlite on 127.0.0.1, its data in FOLDER; says "ready" when it listens.
// PGLITE is the package, EXTENSION the module of an extension that is there to be created, NAME what it exports it as.
//
// Its own socket server hears of a request to cancel, does nothing, and leaves that connection open, while libpq waits
// until the server closes it, as PostgreSQL does at once. So connections come here first and go on to it by a Unix
// socket; one that begins with such a request is closed.
import net from "node:net";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

const CANCEL_BYTES = 16, CANCEL_CODE = 80877102;
const [folder, port, pglite, module, name] = process.argv.slice(2);
const path = folder + ".socket";

function forward(client) {
  client.once("data", (first) => {
    if (first.length === CANCEL_BYTES && first.readInt32BE(4) === CANCEL_CODE) {
      client.end();
      return;
    }
    const server = net.connect(path);
    server.write(first);
    client.pipe(server).pipe(client);
    for (const [one, other] of [[client, server], [server, client]])
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
  });
  client.on("error", () => client.destroy());
}

const { PGlite } = await import(pglite);
const db = await PGlite.create({ dataDir: folder, extensions: { [name]: (await import(module))[name] } });
const inner = new PGLiteSocketServer({ db, path, maxConnections: 16 });
await inner.start();
net.createServer({ noDelay: true }, forward).listen(Number(port), "127.0.0.1", () => console.log("ready"));

for (const signal of ["SIGTERM", "SIGINT"])
  process.on(signal, async () => {
    await inner.stop();
    await db.close();
    process.exit(0);
  });
