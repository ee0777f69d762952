"""Write people.csv, orders.csv and preferences.csv: a hundred people who do not exist, the same ones every time.

Run it with `python data/make_people.py`; an argument names another folder to write to.
"""

from __future__ import annotations

import csv
import random
import sys
import unicodedata
from datetime import date, timedelta
from pathlib import Path

SEED = 2024
IDS = range(101, 201)
# Given and family names are drawn from one line, so that they go together. An underscore is a space in a name.
NAMES = [
    ("Amélie Chloé Gaël Zoé", "Lefèvre Noël Béranger Dupré"),
    ("Jürgen Käthe Sören Lieselotte", "Müller Groß Schäfer Köhler"),
    ("Zofia Łukasz Małgorzata Paweł", "Wiśniewska Żak Dąbrowski Król"),
    ("Søren Astrid Bjørn Åse", "Ødegård Håkansson Nygård Bjørnstad"),
    ("José María Iñigo Nuria", "Núñez Ibáñez Peña Gutiérrez"),
    ("João Inês Conceição Tomás", "Gonçalves Araújo Brandão Simões"),
    ("Şebnem İbrahim Çağla Özgür", "Yıldız Güneş Çelik Öztürk"),
    ("Jiří Šárka Ondřej Zdeňka", "Dvořák Novotný Černý Růžička"),
    ("Ольга Дмитрий Наталья Юрий", "Кузнецов Морозов Лебедев Соколов"),
    ("Ελένη Γιώργος Μαρία Νίκος", "Παππάς Οικονόμου Δημητρίου Γεωργίου"),
    ("Nguyễn Thảo Đức Hương", "Trần Phạm Lê Đặng"),
    ("美咲 健太 さくら 大翔", "佐藤 鈴木 高橋 渡辺"),
    ("伟 秀英 小明 丽", "王 李 张 刘"),
    ("민준 서연 지우 하은", "김 이 박 최"),
    ("أحمد فاطمة يوسف ليلى", "حداد منصور خوري نجار"),
    ("Adébáyọ̀ Chidi Ngozi Yẹ́misí", "Okonkwo Adéyẹmí Balógun Eze"),
    ("प्रिया राहुल अनन्या विक्रम", "शर्मा पटेल सिंह गुप्ता"),
    ("Siobhán Pádraig Aoife Ciarán", "O'Brien Ó_Néill Mac_Giolla Ní_Dhomhnaill"),
    ("Ada Grace Alan Edsger", "Smith Taylor-Jones Young Brown"),
    ("Aroha Tāne Wiremu Ngaio", "Tūhoe Māhina Parata Ngata"),
]  # fmt: skip
CITIES = [
    "Aarhus", "Bogotá", "Brno", "Chișinău", "Düsseldorf", "Göteborg", "Hà Nội", "İzmir", "Kraków", "Lagos", "Málaga",
    "München", "Nairobi", "Reykjavík", "San José", "São Paulo", "Tbilisi", "Tromsø", "Zürich", "Łódź", "Αθήνα", "Київ",
    "القاهرة", "मुंबई", "서울", "東京", "臺北",
]  # fmt: skip
ITEMS = {
    "USB cable": 6.5, "notebook": 4.2, "fountain pen": 38.0, "desk lamp": 29.9, "keyboard": 74.5, "headphones": 119.0,
    "monitor": 245.0, "coffee, 1 kg": 18.9, 'cable "extra long"': 12.4, "café crème cup": 9.8, "office chair": 310.0,
    "webcam": 55.0,
}  # fmt: skip
THEMES = ["light", "dark", "system", "high contrast"]
LANGUAGES = [
    "ar",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "es",
    "fr",
    "ga",
    "hi",
    "ja",
    "ko",
    "mi",
    "pl",
    "pt",
    "tr",
    "uk",
    "vi",
    "zh",
]


def main(folder: Path) -> None:
    """Write the three tables into `folder`."""
    rng = random.Random(SEED)
    people, orders, preferences = [], [], []
    for user_id in IDS:
        given, family = (rng.choice(names.split()).replace("_", " ") for names in rng.choice(NAMES))
        joined = date(2019, 1, 1) + timedelta(days=rng.randrange(1500))
        people.append(
            [user_id, f"{given} {family}", f"{_plain(given)}{user_id}@example.org", rng.choice(CITIES), joined]
        )
        days = sorted(rng.randrange(1, 1000) for _ in range(rng.randrange(8)))
        for number, day in enumerate(days, 1):
            item, price = rng.choice(list(ITEMS.items()))
            amount = price * rng.choice([1, 1, 1, 2, 3])
            order = f"ORD-{user_id}-{number:03}"
            orders.append([order, user_id, f"{amount:.2f}", item, joined + timedelta(days=day)])
        notifications = rng.choice(["true", "false"])
        preferences.append([user_id, rng.choice(THEMES), notifications, rng.choice(LANGUAGES)])
    _write(folder / "people.csv", "user_id name email city joined", people)
    _write(folder / "orders.csv", "order_id user_id amount item date", orders)
    _write(folder / "preferences.csv", "user_id theme notifications language", preferences)


def _plain(name: str) -> str:
    """Return the letters of a name that are ASCII without their accents, or "user" if there are none."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(filter(str.isalnum, letters)).lower() or "user"


def _write(path: Path, header: str, rows: list[list]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header.split(), *rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
