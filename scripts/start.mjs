// Runs on whatever Node the machine has, so it is plain JavaScript. Everything behind it is TypeScript that Node runs
// as it is, which Node can do from 22.18 on.
const needed = [22, 18]
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(
    `This is Node ${process.versions.node}, and ICE needs ${needed.join('.')} or newer: run "npm install && npm start", which brings the right one along (node_modules/.bin/node).`,
  )
  process.exit(1)
}

await import('./start.ts')
