/** The types, as an application uses them: checked, never run. */
import { createTap, type Conversation, type Tap } from 'steno-tap';
import { WebSocket } from 'ws';

const tap: Tap = createTap({ url: 'wss://steno.example', token: 't', ack: true, tls: { ca: 'pem' }, log: console.log });
const socket: WebSocket = tap(new WebSocket('ws://127.0.0.1'), 'till-7');
const call: Conversation = tap.conversation('till-7');
call.send(Buffer.from('{}'), 'sent');
call.send({ type: 'response.create' });
call.close(1000, 'bye');
const everything: boolean = await tap.close(1000);

// @ts-expect-error a direction is one of two words
tap.send('{}', 'sideways');
// @ts-expect-error a number is no frame
tap.send(7);

export { everything, socket };
