/** The line every generated document begins with. */
export function generatedFrom(source: string): string {
  return `<!-- Generated from ${source} by "npm run gen". Do not edit. -->\n`
}

/** A pipe table; cells are one line each, `|` is escaped. */
export function table(header: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}
