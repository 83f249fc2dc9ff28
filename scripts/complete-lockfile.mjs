/**
 * Adds to package-lock.json the packages for other platforms that npm left out. npm writes only those the registry
 * could show it when the file was made, and newer versions of `npm ci` refuse a lockfile that lacks one. Run this after
 * `npm install`; it changes nothing in a complete file. With `--check` it only looks and fails if something is missing.
 *
 * An added entry has the exact version that its parent asks for and the platform that its name says; it has no
 * integrity hash, because the package was never seen.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const packages = lock.packages

/** Whether `name` is found from the folder `from`, as Node looks it up: there, then in every folder above. */
function isFound(from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (packages[`${folder}${folder && '/'}node_modules/${name}`]) return true
    if (folder === '') return false
  }
}

/** Reads `…-linux-arm64-musl` and its like as npm's fields os, cpu and libc; null when the name says no platform. */
function platformOf(name) {
  const match =
    /(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x)(?:-(\w+))?$/.exec(name)
  if (!match) return null
  const [, os, cpu, abi = ''] = match
  const libc = os === 'linux' && /^(gnu|musl)/.exec(abi)?.[1]
  return { ...(libc && { libc: [libc === 'gnu' ? 'glibc' : 'musl'] }), cpu: [cpu], os: [os] }
}

const added = []
for (const [folder, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const platform = platformOf(name)
    if (isFound(folder, name) || !platform || !/^\d+\.\d+\.\d+/.test(version)) continue
    const { cpu, os, libc } = platform
    packages[`node_modules/${name}`] = {
      version,
      cpu,
      ...(entry.dev && { dev: true }),
      ...(libc && { libc }),
      optional: true,
      os,
    }
    added.push(`${name}@${version}`)
  }
}

if (added.length > 0 && process.argv.includes('--check')) {
  console.error(`package-lock.json lacks ${added.join(', ')}. Run: node scripts/complete-lockfile.mjs`)
  process.exit(1)
}
if (added.length > 0) {
  const byPath = (a, b) => a[0].localeCompare(b[0], 'en')
  lock.packages = Object.fromEntries(Object.entries(packages).sort(byPath))
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
}
console.log(`${added.length} packages added to package-lock.json`)
