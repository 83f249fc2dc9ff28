/**
 * Builds dist/, which is what the package ships: JavaScript from src/, the migrations, and the web app when there is one.
 * Nothing in the repository itself runs from dist/.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

function run(program, ...args) {
  const { status } = spawnSync(join(root, 'node_modules/.bin', program), args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
run('tsc', '-p', 'tsconfig.build.json')

const migrations = join(root, 'src/database/migrations')
if (existsSync(migrations)) {
  cpSync(migrations, join(root, 'dist/database/migrations'), {
    recursive: true,
    filter: (path) => !/\.tsx?$/.test(path),
  })
}

const hasWebApp = ['web/package.json', 'web/index.html'].some((file) => existsSync(join(root, file)))
if (hasWebApp) run('vite', 'build', 'web', '--outDir', '../dist/web', '--emptyOutDir', '--logLevel', 'warn')

// what npm would ship, checked for entries that point to nothing
run('publint', '--strict')
