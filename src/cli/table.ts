/** A column of a table for people. */
export interface TableColumn<Row> {
  title: string
  align?: 'left' | 'right'
  value(row: Row): string
}

/** Lines of a table, the titles first; columns are as wide as their longest cell and two spaces apart. */
export function tableLines<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string[] {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((column) => column.value(row))),
  ]
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]!.length)))
  return cells.map((line) =>
    line
      .map((cell, index) =>
        columns[index]!.align === 'right' ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
      )
      .join('  ')
      .trimEnd(),
  )
}
