// A spectrum's name and its address. The same id with other pixels is another spectrum.

export const named = (row) => ({ id: row.spectrum_id, digest: row.digest });
export const link = ({ id, digest }) => `/?${new URLSearchParams(digest ? { id, digest } : { id })}`;
