"""Catalogue and vault on SQLite."""

from catalog_contract import CatalogContract, VaultContract, catalog, vault
from matching_contract import MatchingContract

__all__ = ["catalog", "vault"]


class TestCatalog(CatalogContract):
    pass


class TestMatching(MatchingContract):
    pass


class TestVault(VaultContract):
    def test_database_file_holds_no_identity(self, vault, engine, tmp_path):
        vault.put("s", self.IDENTITY)
        engine.dispose()
        for file in tmp_path.iterdir():
            assert b"CANARY" not in file.read_bytes()
