// qdrant_stub_js.mjs - the official client talks to the stub: what it sends is taken, what it gets it understands.
import assert from "node:assert/strict";
import { QdrantClient } from "@qdrant/js-client-rest";

const [url, apiKey] = process.argv.slice(2);
const client = new QdrantClient({ url, apiKey, checkCompatibility: false });
const name = "js";

await client.createCollection(name, {
  vectors: { dense: { size: 2, distance: "Cosine" } },
  sparse_vectors: { words: { modifier: "idf" } },
  quantization_config: { scalar: { type: "int8" } },
});
await assert.rejects(client.createCollection(name, { vectors: { dense: { size: 2, distance: "Cosine" } } }));
assert.equal((await client.collectionExists(name)).exists, true);
assert.deepEqual((await client.getCollections()).collections, [{ name }]);
assert.equal((await client.getCollection(name)).config.params.vectors.dense.size, 2);
await client.createPayloadIndex(name, { field_name: "year", field_schema: "integer", wait: true });
await client.upsert(name, { wait: true, points: [
  { id: 1, vector: { dense: [3, 4], words: { indices: [7, 9], values: [1, 2] } }, payload: { year: 2020, tags: ["a", "b"] } },
  { id: 2, vector: { dense: [0, 1] }, payload: { year: 2021, "a.b": "x" } },
  { id: 3, vector: { words: { indices: [9], values: [5] } }, payload: { year: 2021 } },
] });
const near = await client.query(name, { query: [0, 2], using: "dense", limit: 5, with_payload: true });
assert.deepEqual(near.points.map((p) => p.id), [2, 1]);
assert.ok(Math.abs(near.points[1].score - 0.8) < 1e-6);
const worded = await client.query(name, { query: { indices: [7], values: [1] }, using: "words", with_vector: ["words"] });
assert.deepEqual(worded.points.map((p) => p.id), [1]);
assert.ok(Math.abs(worded.points[0].score - Math.log((2 - 1 + 0.5) / (1 + 0.5) + 1)) < 1e-6);
assert.deepEqual(worded.points[0].vector.words.indices, [7, 9]);
const both = await client.queryBatch(name, { searches: [
  { query: [1, 0], using: "dense", limit: 1 },
  { query: { indices: [9], values: [1] }, using: "words", limit: 1 },
] });
assert.deepEqual(both.map((one) => one.points[0].id), [1, 3]);
const count = async (filter) => (await client.count(name, { exact: true, filter })).count;
assert.equal(await count(), 3);
assert.equal(await count({ must: [{ key: "tags", match: { value: "b" } }] }), 1);
assert.equal(await count({ must_not: [{ key: "year", range: { gte: 2021 } }] }), 1);
assert.equal(await count({ should: [{ key: 'year', match: { any: [2020] } }, { key: '"a.b"', match: { text: "x" } }] }), 2);
assert.equal(await count({ must: [{ has_id: [1, 3] }, { is_empty: { key: "tags" } }] }), 1);
const facet = await client.facet(name, { key: "year", exact: true });
assert.deepEqual(facet.hits, [{ value: 2021, count: 2 }, { value: 2020, count: 1 }]);
const page = await client.scroll(name, { limit: 2, with_payload: ["year"] });
assert.deepEqual([page.points.map((p) => p.id), page.next_page_offset], [[1, 2], 3]);
assert.equal((await client.retrieve(name, { ids: [2] }))[0].payload["a.b"], "x");
await assert.rejects(client.query(name, { query: [1, 2, 3], using: "dense" }), (error) => error.status === 400);
const snapshot = await client.createSnapshot(name);
assert.deepEqual((await client.listSnapshots(name)).map((one) => one.name), [snapshot.name]);
await client.deleteSnapshot(name, snapshot.name);
await client.delete(name, { wait: true, points: [2] });
await client.delete(name, { wait: true, filter: { must: [{ key: "year", match: { value: 2020 } }] } });
assert.equal(await count(), 1);
await client.deleteCollection(name);
await assert.rejects(client.getCollection(name), (error) => error.status === 404);
await assert.rejects(new QdrantClient({ url, apiKey: "wrong", checkCompatibility: false }).getCollections());
console.log("the official client is content");
