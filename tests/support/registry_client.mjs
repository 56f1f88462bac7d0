// A program of somebody else's, in JavaScript: kafkajs and its client of Schema Registries.
// produce BROKERS REGISTRY TOPIC SCHEMA.avsc < lines of JSON, bytes as base64
// consume BROKERS REGISTRY TOPIC N > lines of JSON
import { readFileSync } from "node:fs";
import { SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import { Kafka, logLevel } from "kafkajs";

const [verb, brokers, host, topic, last] = process.argv.slice(2);
const registry = new SchemaRegistry({ host });
const kafka = new Kafka({ clientId: "javascript", brokers: [brokers], logLevel: logLevel.ERROR });

if (verb === "produce") {
  const schema = readFileSync(last, "utf8");
  const { id } = await registry.register({ type: SchemaType.AVRO, schema }, { subject: `${topic}-javascript` });
  const producer = kafka.producer();
  await producer.connect();
  for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const fields = JSON.parse(line);
    for (const name of ["flux", "wavelength"]) fields[name] = Buffer.from(fields[name], "base64");
    await producer.send({ topic, messages: [{ key: fields.spectrum_id, value: await registry.encode(id, fields) }] });
  }
  await producer.disconnect();
  console.log(id);
} else {
  const consumer = kafka.consumer({ groupId: `javascript-${topic}`, readUncommitted: false });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let left = Number(last);
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
    consumer.run({
      eachMessage: async ({ message }) => {
        const { result_id, spectrum_id, z } = await registry.decode(message.value);
        console.log(JSON.stringify({ result_id, spectrum_id, z }));
        if (--left === 0) resolve();
      },
    });
  });
  await consumer.disconnect();
}
