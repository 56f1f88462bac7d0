"""Entries, arrows and circles of a package: how many modules and folders it has, and who imports whom.

An entry is a module or folder of the package; an arrow is one entry that imports another, counted once; a
circle is a set of entries that all lead to each other.

    python benchmarks/arrows.py                              # models and workers, and the folders inside
    python benchmarks/arrows.py spectraq.workers --arrows    # every arrow by name
"""

from __future__ import annotations

import argparse

import grimp
import networkx

USUAL = ("spectraq.models", "spectraq.models.training", "spectraq.workers", "spectraq.workers.web")


def arrows(imports: grimp.ImportGraph, package: str) -> networkx.DiGraph:
    """Return the entries of a package as nodes, and their imports as edges."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(imports.find_children(package))
    for entry in list(graph):
        for module in {entry, *imports.find_descendants(entry)}:
            for imported in imports.find_modules_directly_imported_by(module):
                other = entry_of(imported, package)
                if other in graph and other != entry:
                    graph.add_edge(entry, other)
    return graph


def entry_of(module: str, package: str) -> str:
    """Return the entry of a package that a module is in."""
    return ".".join(module.split(".")[: package.count(".") + 2])


def circles(graph: networkx.DiGraph) -> list[list[str]]:
    """Return the sets of entries that lead to each other."""
    return [sorted(circle) for circle in networkx.strongly_connected_components(graph) if len(circle) > 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("packages", nargs="*", default=USUAL)
    parser.add_argument("--arrows", action="store_true", help="print every arrow")
    asked = parser.parse_args()
    imports = grimp.build_graph("spectraq", cache_dir=None)
    print(f"{'package':28} {'entries':>8} {'arrows':>8} {'circles':>8}")
    for package in asked.packages:
        graph = arrows(imports, package)
        rings = circles(graph)
        print(f"{package:28} {len(graph):8} {graph.number_of_edges():8} {len(rings):8}")
        for ring in rings:
            print(f"  circle: {', '.join(ring)}")
        for importer, imported in sorted(graph.edges) if asked.arrows else ():
            print(f"  {importer} -> {imported}")


if __name__ == "__main__":
    main()
