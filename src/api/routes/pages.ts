import type { Api, Services } from '../services.ts'

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Sheaf</title><meta name="viewport" content="width=device-width"></head>
<body>
<h1>Sheaf</h1>
<p>This server turns a pile of documents into answers you can check.</p>
<ul>
<li><a href="/docs/">API reference</a></li>
<li><a href="/openapi.json">API description (OpenAPI 3.1)</a></li>
<li><a href="/readyz">State of this server</a></li>
</ul>
<h2>Try it</h2>
<p>A small batch lies in <code>assets/sample</code>. From a terminal in the repository:</p>
<pre>npm run -s sheaf -- run assets/sample --out sample-out --export csv</pre>
<p>Then look at <code>sample-out/manifest.csv</code>, or at <code>npm run -s sheaf -- batches</code>.</p>
<p>Version VERSION</p>
</body>
</html>
`

/** What a person finds who opens the address of the server. */
export function pageRoutes(app: Api, { version }: Services): void {
  const page = PAGE.replace('VERSION', version.replace(/[^\w.+-]/g, ''))
  app.get('/', { schema: { hide: true }, config: { open: 'yes' } }, (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(page),
  )
}
