export { EXPORT_FORMATS, exportBatch, type ExportFormat, manifestBatch } from './export-batch.ts'
