// A node:http server. Usage: node_http.js [HOST:PORT]; environment: ADDRESS, RELEASE, EXECUTION_LOG.
// On SIGTERM it stops as node's documentation advises: server.close().
'use strict';

const fs = require('node:fs');
const http = require('node:http');

const address = process.argv[2] ?? process.env.ADDRESS ?? '127.0.0.1:8080';
const release = process.env.RELEASE ?? 'unnamed';
const log = process.env.EXECUTION_LOG ? fs.openSync(process.env.EXECUTION_LOG, 'a', 0o666) : null;

function answer(response, body) {
  response.writeHead(200, { 'X-Release': release, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (request.method === 'POST') {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      if (log !== null) fs.writeSync(log, body.toString().split('\n', 1)[0] + '\n');
      answer(response, body);
    });
  } else if (url.pathname === '/pid') {
    answer(response, `${process.pid}\n`);
  } else if (url.pathname === '/slow') {
    setTimeout(() => answer(response, `${release}\n`), 1000 * parseFloat(url.searchParams.get('d') ?? '10s'));
  } else {
    answer(response, `${release}\n`);
  }
});

process.on('SIGTERM', () => server.close());

const colon = address.lastIndexOf(':');
server.listen(Number(address.slice(colon + 1)), address.slice(0, colon).replace(/[[\]]/g, ''));
